import { mount } from "svelte";
import App from "./app/App.svelte";
import "./style/base.css";
import "./style/controls.css";
import { registerWorker } from "./server/worker/register-worker.ts";
import { language } from "./words/words.ts";

document.documentElement.lang = language;
mount(App, { target: document.getElementById("app")! });
registerWorker();

#!/bin/sh
# An agent that costs next to nothing, and waits for the gate in its home to be opened: so many are there at once, however
# long it takes to start them.
read -r prompt
session='"session_id":"634b5942-1bb0-4605-aa4d-e331f23a2993"'
printf '%s\n' "{\"type\":\"system\",\"subtype\":\"init\",\"model\":\"m\",$session}"
echo $$ >>"$HOME/agents"
read -r opened <"$HOME/gate"
printf '%s\n' "{\"type\":\"assistant\",\"message\":{\"id\":\"msg_1\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"done\"}]},$session}"
printf '%s\n' "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"done\",\"duration_ms\":1,\"num_turns\":1,$session}"
read -r end

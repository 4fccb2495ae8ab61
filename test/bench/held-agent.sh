#!/bin/sh
# An agent that comes up and then only waits for the end of its stdin: its lines are written by line-writer.pl, through
# its stdout, so that a thousand of them cost nothing.
read -r prompt
printf '%s\n' '{"type":"system","subtype":"init","model":"m","session_id":"634b5942-1bb0-4605-aa4d-e331f23a2993"}'
echo $$ >>"$HOME/agents"
read -r end

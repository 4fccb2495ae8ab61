/**
 * The script by which bash completes the command line. It is the project's own, as the library's takes the package
 * bash-completion, which a machine in need lacks, and has the shell evaluate what was typed: a TAB would run what stands
 * in `$(…)`, and empty a file behind `>`.
 *
 * @param command - What calls this command line, as it is written in a shell.
 */
export function bashCompletion(command: string): string {
  return `# bash completion for breakglass

__breakglass_complete() {
    local out word value glue= n=0 i
    local cur=\${COMP_WORDS[COMP_CWORD]}
    local -a words=()
    [[ $cur == [=:] ]] && cur=
    # bash splits words at = and :, and what belongs together is put together again.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        if ((n > 0)) && [[ -n $glue || $word == [=:]* ]]; then words[n-1]+=$word
        else words[n++]=$word; fi
        glue=
        [[ $word == [=:]* ]] && glue=1
    done
    COMPREPLY=()
    out=$(${command} complete -- "\${words[@]}" 2>/dev/null </dev/null) || return
    while IFS= read -r word; do
        value=\${word%%$'\\t'*}
        [[ $value == [!:]* && $value == "$cur"* ]] && COMPREPLY+=("$value")
    done <<< "$out"
}

# Files, where nothing of the command's own begins so.
complete -o default -F __breakglass_complete breakglass
`;
}

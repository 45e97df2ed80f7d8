"""The functions that shells call when somebody completes a word of `bramble`.

Each asks the `bramble` of the PATH, never a file of the working directory that
has this name. Each word is passed with a dot before it, so that none is treated as an option
of `completion` itself. The first line of an answer says what the others are.
"""

from __future__ import annotations

# In bash a function has to write names so that the shell reads them again as they are; the answer does it.
_BASH = r"""# Completion of bramble for bash. In ~/.bashrc: eval "$(bramble completion bash)"
_bramble() {
    local kind= line=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=()
    {
        IFS= read -r kind
        mapfile -t COMPREPLY
    } < <(command bramble completion --answer bash ".$line" ".$COMP_WORDBREAKS" 2>/dev/null)
    case $kind in
        files) compopt -o default ;;
        directories) compopt -o dirnames ;;
    esac
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/:=] ]]; then
        compopt -o nospace
    fi
}
complete -F _bramble bramble
"""

_ZSH = r"""#compdef bramble
# Completion of bramble for zsh: eval "$(bramble completion zsh)", or this as the file _bramble in $fpath.
_bramble() {
    local kind text about
    local -a before=("${(@Q)words[2,CURRENT-1]}")
    local -a whole wholes begun beguns
    {
        IFS= read -r kind
        while IFS=$'\t' read -r text about; do
            if [[ $text == *[/:=] ]]; then
                begun+=("$text")
                beguns+=("$text${about:+  -- $about}")
            else
                whole+=("$text")
                wholes+=("$text${about:+  -- $about}")
            fi
        done
    } < <(command bramble completion --answer zsh "${(@)before/#/.}" ".${(Q)PREFIX}" 2>/dev/null)
    case $kind in
        files) _files ;;
        directories) _files -/ ;;
        words)
            compadd -l -d beguns -S '' -a begun
            compadd -l -d wholes -a whole
            ;;
    esac
}
if [[ $funcstack[1] == _bramble ]]; then
    _bramble "$@"
elif (( $+functions[compdef] )); then
    compdef _bramble bramble
fi
"""

_FISH = r"""# Completion of bramble for fish: bramble completion fish >~/.config/fish/completions/bramble.fish
function __bramble_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines (command bramble completion --answer fish .$words[2..-1] ".$current" 2>/dev/null)
    switch "$lines[1]"
        case files
            __fish_complete_path "$current"
        case directories
            __fish_complete_directories "$current"
        case words
            printf '%s\n' $lines[2..-1]
    end
end
complete -c bramble -f -a '(__bramble_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

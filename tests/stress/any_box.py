"""Run the one file on machines with something odd about them, by several Pythons, as root and as a user.

    python3 -I bramble self pack bramble-file
    unshare -m python3 tests/stress/any_box.py bramble-file [--user NAME] [--only WORD] PYTHON…

A PYTHON is an interpreter that everybody may run. Needs root, and a mount namespace of its own, which it
makes if it is not there. Prints a table: a row for each box, a column for each interpreter and person.
Takes about two minutes for an interpreter.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

# In every box: `works` and `refuses CODE` run a command as the person, twice: without a copy in the cache
# and with it, unless the box has none. `hello` is the Hello World of the README. B is the box, F the file.
PRELUDE = r"""
F=$B/bramble
fails() { echo "FAIL: $1: status $s: $(head -c 400 $B/.out $B/.err | tr '\n' '|')"; exit 1; }
once() { (exec >$B/.out 2>$B/.err; $AS "$@"); s=$?; if grep -q Traceback $B/.err; then fails "$*"; fi; }
works() {
    for turn in 1 2; do
        once "$@"
        [ $s = 0 ] && ! grep -qv "${QUIET:-^$}" $B/.err && grep -q '^bramble [0-9]' $B/.out || fails "$*"
    done
}
refuses() {
    code=$1; shift
    once "$@"
    [ $s != 0 ] && grep -q "^error.$code." $B/.err || fails "$*"
}
hello() {
    $AS mkdir $B/project; cd $B/project
    once "$@" init hello; [ $s = 0 ] || fails init
    once "$@" -C hello run ./:hello_world say-hello-world
    [ $s = 0 ] && grep -q 'Hello World!' $B/.out || fails hello
}
copies() { [ "$(ls -A $B/cache/bramble | wc -l)" = $1 ] || { s=; fails "$(ls -A $B/cache/bramble)"; }; }
cd $B
"""

BOXES = {
    "plain": 'works $F --version; copies 1; hello $F; works $F version',
    "no HOME": 'works env -u HOME -u XDG_CACHE_HOME $F --version; hello env -u HOME -u XDG_CACHE_HOME BRAMBLE_PATH=$B/store $F',
    "read-only HOME": 'mount -t tmpfs none $B/home; mount -o remount,ro $B/home; works env -u XDG_CACHE_HOME HOME=$B/home $F --version;'
    ' hello env -u XDG_CACHE_HOME HOME=$B/home BRAMBLE_PATH=$B/store $F',
    "HOME with a store": 'hello env -u XDG_CACHE_HOME HOME=$B/home $F; works env HOME=$B/home $F --version; [ -d $B/home/bramble ]',
    "HOME is a file": 'works env -u XDG_CACHE_HOME HOME=$F $F --version',
    "HOME with a newline": """H="$B/a
b"; $AS mkdir "$H"; works env -u XDG_CACHE_HOME HOME="$H" $F --version; ls "$H/.cache/bramble" >/dev/null""",
    "PYTHONPATH": 'works env PYTHONPATH=$B/hostile $F --version; hello env PYTHONPATH=$B/hostile $F',
    "PYTHONHOME": 'works env PYTHONHOME=/nowhere $F --version; hello env PYTHONHOME=/nowhere $F',
    "PYTHONDONTWRITEBYTECODE": 'works env PYTHONDONTWRITEBYTECODE=1 $F --version',
    "PYTHONSTARTUP, INSPECT": 'works env PYTHONSTARTUP=$B/hostile/json.py PYTHONINSPECT=1 PYTHONVERBOSE=1 $F --version </dev/null',
    "hostile modules here": 'cd $B/hostile; works $F --version; works ../bramble --version; hello $F',
    "LANG=C, odd locales": 'for l in C POSIX xx_XX.UTF-8 ""; do works env LC_ALL=$l LANG=$l $F --version; done; hello env LC_ALL=C $F',
    "python3.11 only": 'V=$B/only; mkdir $V; ln -s $B/bin/python3 $V/python3.11; for sh in $SHELLS; do works env PATH=$V $sh $F --version; done',
    "no Python": 'for sh in $SHELLS "$BB"; do refuses self.no-python env PATH=$B/empty $sh $F build; [ $s = 127 ] || fails "$sh"; done;'
    ' mkdir -p $B/dir/python3 $B/dir/python3.9; refuses self.no-python env PATH=$B/dir $F',
    "all shells": 'for sh in $SHELLS "$BB"; do works $sh $F --version; cd $B; works $sh bramble --version; works $sh -eu ./bramble --version; done',
    "spaces, quotes, newline": r"""
        newline='a
b'
        for d in "a b" "a'b" 'a"b' '$(x)`y`' "$newline" "*" "-c" "ä" "$(printf '\377')"; do
            $AS mkdir -p "$B/x/$d"; $AS cp $F "$B/x/$d/the file"; cd "$B/x/$d"
            works "$B/x/$d/the file" --version; works "./the file" --version; works sh "the file" --version
        done; cd "$B/x/$newline"; hello "$B/x/$newline/the file" """,
    "odd names": 'for n in -c -- \'$(x)\' "a\'b" sh.py bramble.sh a=b; do $AS cp $F "$B/$n"; works "./$n" --version; works sh -- "$n" --version; done',
    "link": 'ln -s bramble l; ln -s l m; works ./m --version; ln $F h; works $B/h --version; $AS ln -s $F $B/bin/bramble; works bramble --version;'
    ' mkdir $B/e; cd $B/e; works bash bramble --version',
    "read-only mount": 'mkdir m; mount --bind m m; cp $F m/; mount -o remount,bind,ro m; works $B/m/bramble --version; cd $B/m; works ./bramble --version',
    "noexec mount": 'mkdir m; mount -t tmpfs -o noexec none m; cp $F m/; works sh $B/m/bramble --version; works env XDG_CACHE_HOME=$B/home $B/bin/python3 -c '
    '"import os,sys; os.execvp(\'sh\', [\'sh\', sys.argv[1], \'--version\'])" $B/m/bramble',
    "cache on noexec": 'mkdir m; mount -t tmpfs -o noexec,mode=777,uid=$ID none m; chmod 700 m; works env XDG_CACHE_HOME=$B/m $F --version; ls $B/m/bramble >/dev/null',
    "no /proc": 'export LD_LIBRARY_PATH=$LIBRARY; mount -t tmpfs none /proc; works $F --version; works env -u XDG_CACHE_HOME $F --version; once $F init hello; once $F -C hello run ./:hello_world say-hello-world;'
    ' grep -q "sandbox.unavailable" $B/.err || fails hello',
    "no /dev": 'mount -t tmpfs none /dev; works $F --version; works env -u XDG_CACHE_HOME $F --version',
    "directory gone": 'QUIET="getcwd.. failed"; $AS mkdir $B/gone; cd $B/gone; rmdir $B/gone; works $F --version; works env -u XDG_CACHE_HOME $F --version; once $F build; [ $s != 0 ]',
    "closed streams": 'for how in "<&-" ">&-" "2>&-" "<&- >&- 2>&-" "<&- 2>&-"; do for c in $B/cache ""; do once sh -c "XDG_CACHE_HOME=$c; export XDG_CACHE_HOME; $F help $how"; s2=$s;'
    ' case $how in *" >&-"*|">&-") [ $s -le 1 ] || fails "$how";; *) [ $s = 0 ] || fails "$how";; esac; done; done',
    "umask": 'for u in 0 077 0777; do rm -rf $B/cache; works sh -c "umask $u; exec $F --version"; copies 1; [ "$(stat -c %a $B/cache)" = 700 ] || fails $u; done',
    "umask 0, hello": 'hello sh -c "umask 0; exec $F \\"\\$@\\"" x',
    "ulimit -f": 'works sh -c "ulimit -f 4; exec $F --version"; works $F --version; rm -rf $B/cache; works sh -c "(ulimit -f 0; exec $F --version) | cat"; works $F --version',
    # Debian's sh needs descriptor 10 to read a script.
    "ulimit -n": 'works sh -c "ulimit -n 12; exec $F --version"; rm -rf $B/cache; works $F --version',
    "ulimit -v": 'for v in 100000 60000 40000; do rm -rf $B/cache; works sh -c "ulimit -v $v; exec $F --version"; done',
    "ulimit -s, -u": 'works sh -c "ulimit -s 512; exec $F --version"; works sh -c "ulimit -c 0; ulimit -t 20; exec $F --version"',
    "eight first runs": 'for i in 1 2 3 4 5 6 7 8; do ($AS $F --version >$B/.o$i 2>&1; echo $? >>$B/.o$i) & done; wait; cat $B/.o? | sort | uniq -c >.out; s=; [ $(wc -l <.out) = 2 ] || fails many; copies 1',
    "PATH empty or unset": 'cd $B/bin; once env PATH= $F --version; cd $B; once env PATH= $F --version; [ $s = 0 ] || grep -q "self.no-python" .err || fails empty; once env -u PATH $F --version; [ $s = 0 ] || fails unset',
    "a shim of nothing": 'mkdir -p $B/.pyenv/shims; printf "#!/bin/sh\\necho no version >&2; exit 127\\n" >$B/.pyenv/shims/python3; chmod 755 $B/.pyenv/shims/python3;'
    ' works env PATH=$B/.pyenv/shims:$B/only11 $F --version; refuses self.no-python env PATH=$B/.pyenv/shims $F --version',
    "a wrapper": 'mkdir w; printf "#!/bin/sh\\nexec $B/bin/python3 \\"\\$@\\"\\n" >w/python3; chmod 755 w/python3; works env PATH=$B/w $F --version; hello env PATH=$B/w:/usr/bin:/bin $F',
    "a venv": '$AS $REAL -m venv --without-pip $B/venv; works env PATH=$B/venv/bin VIRTUAL_ENV=$B/venv $F --version; hello env PATH=$B/venv/bin:/usr/bin:/bin $F',
    "python3 no program": 'mkdir -p w/python3 v; ln -s /nowhere v/python3; echo >v/python3.14; works env PATH=$B/w:$B/v:$B/only11 $F --version; refuses self.no-python env PATH=$B/w:$B/v $F --version',
    "BRAMBLE_PYTHON": 'ln -s $B/bin/python3 "$B/my python"; works env PATH=$B/empty BRAMBLE_PYTHON="$B/my python" $F --version; cd $B; works env BRAMBLE_PYTHON="./my python" $F --version; cd bin;'
    ' works env BRAMBLE_PYTHON=python3 $F --version; cd ..; for p in $OLD /bin/true /bin/cat /nowhere $B ./bramble "a b"; do refuses self.no-python env BRAMBLE_PYTHON="$p" $F --version; done',
    "only old Pythons": 'mkdir w; i=3; for p in $OLD; do ln -s $p w/python$i; i=3.9; done; [ ! -e w/python3 ] || refuses "self.no-python" env PATH=$B/w $F --version; ln -s $B/bin/python3 w/python3.13;'
    ' ls w/python3 >/dev/null 2>&1 && works env PATH=$B/w $F --version; :',
    "root with the user's HOME": 'works env -u XDG_CACHE_HOME HOME=$B/home $F --version; d=$(echo $B/home/.cache/bramble/*); $AS chmod 644 $d/bramble/cli/main.py;'
    ' once $B/bin/python3 -I -c "import sys; p=sys.argv[1]; open(p+\'/bramble/cli/main.py\',\'w\').write(\'raise SystemExit(99)\'); sys.path.insert(0,p); from bramble.self import boot; open(p+\'/manifest\',\'w\').write(boot.manifest(p))" $d;'
    ' AS= ; once env -u XDG_CACHE_HOME HOME=$B/home $F version; if [ $ID = 0 ]; then [ $s = 99 ] || fails evil; else [ $s = 0 ] || fails evil; find $B/home -user root | grep -q . && { s=; fails litter; }; fi; :',
    "a shared cache": 'mkdir -m 1777 $B/shared; works env XDG_CACHE_HOME=$B/shared $F --version; AS="setpriv --reuid 4321 --regid 4321 --clear-groups"; works env XDG_CACHE_HOME=$B/shared $F --version; AS=;'
    ' works env XDG_CACHE_HOME=$B/shared $F --version; mkdir -m 777 $B/open; works env XDG_CACHE_HOME=$B/open $F --version; [ -z "$(ls -A $B/open)" ] || { s=; fails open; }',
    "a pipe": 'for sh in $SHELLS "$BB"; do once sh -c "$sh < $F"; [ $s = 1 ] && grep -q "self.no-file" .err || fails "$sh <"; once sh -c "cat $F | $sh -s build"; [ $s = 1 ] || fails "$sh |";'
    ' once bash -c "$sh <(cat $F)"; [ $s != 0 ] || fails "<( $sh"; done',
    "read with a dot": 'once bash -c ". $F; echo after"; grep -q after .out || fails .; once dash -c ". $F; echo after"; grep -q after .out || fails .',
    "exec -a": 'works bash -c "exec -a other $F --version"',
    "names from outside": 'works env BRAMBLE_TOO_OLD=" python3.9" IFS=ban CDPATH=/ ENV=/nowhere GREP_OPTIONS=x file=1 start=2 $F --version; hello env IFS=br CDPATH=/tmp POSIXLY_CORRECT=1 $F',
    "time and zone": 'for z in Pacific/Chatham Nowhere/At_All ":"; do works env TZ=$z $F --version; done; works env SOURCE_DATE_EPOCH=-1 $F --version; hello env TZ=America/Lima $F',
    "signals ignored": 'works sh -c "trap \\"\\" INT TERM HUP PIPE CHLD; exec $F --version"',
    "ACL in the way": 'if command -v setfacl >/dev/null; then works $F --version; setfacl -m u:4321:rwx $B/cache; works $F --version; fi; :',
    "capabilities dropped": 'works setpriv --no-new-privs --bounding-set=-all $F --version',
    "namespace of its own": 'works unshare -rm $F --version; hello unshare -r $F',
}  # fmt: skip


def run_box(name: str, body: str, file: str, python: str, user: Optional[str], old: list[str]) -> str:
    """Run a box by an interpreter as a person; return "ok", or what is wrong."""
    base = tempfile.mkdtemp(prefix="box-")
    os.chmod(base, 0o755)
    try:
        for directory in ("bin", "empty", "home", "hostile", "only11"):
            os.mkdir(os.path.join(base, directory))
        os.symlink(os.path.realpath(python), os.path.join(base, "bin", "python3"))
        os.symlink(os.path.realpath(python), os.path.join(base, "only11", "python3.11"))
        for module in ("json", "os", "argparse", "bramble", "signal", "sitecustomize", "zipimport", "stat"):
            with open(os.path.join(base, "hostile", f"{module}.py"), "w") as out:
                out.write("raise SystemExit(99)\n")
        shutil.copy(file, os.path.join(base, "bramble"))
        os.chmod(os.path.join(base, "bramble"), 0o755)
        person = pwd.getpwnam(user) if user else pwd.getpwuid(0)
        ids = f"{person.pw_uid} --regid {person.pw_gid}"
        subprocess.run(["chown", "-R", f"{person.pw_uid}:{person.pw_gid}", base], check=True)
        shells = [found for found in map(shutil.which, ("dash", "bash", "mksh", "zsh", "ksh")) if found]
        busybox = shutil.which("busybox")
        environ = {
            "B": base,
            "ID": str(person.pw_uid),
            "AS": f"setpriv --reuid {ids} --clear-groups" if user else "",
            "PATH": f"{base}/bin:/usr/bin:/bin",
            "HOME": f"{base}/home",
            "XDG_CACHE_HOME": f"{base}/cache",
            "BRAMBLE_PATH": f"/var/tmp/{os.path.basename(base)}" if name != "HOME with a store" else "",
            "SHELLS": " ".join(shells),
            "BB": f"{busybox} ash" if busybox else "dash",
            "LIBRARY": os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(python))), "lib"),
            "REAL": os.path.realpath(python),
            "OLD": " ".join(old),
        }
        store = environ["BRAMBLE_PATH"]
        if store:
            os.mkdir(store)
            os.chown(store, person.pw_uid, person.pw_gid)
        else:
            del environ["BRAMBLE_PATH"]
        done = subprocess.run(
            ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c", PRELUDE + body],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if store:
            subprocess.run(["rm", "-rf", store], check=True)
        return (
            "ok"
            if done.returncode == 0
            else (done.stdout + done.stderr).strip() or f"status {done.returncode}"
        )
    finally:
        subprocess.run(["sh", "-c", f"chmod -R u+rwX {base}; rm -rf {base}"], stderr=subprocess.DEVNULL)


def main() -> int:
    """Run what the command line asks for; return the number of boxes that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("pythons", nargs="+", metavar="PYTHON")
    parser.add_argument("--user", help="run as this person too")
    parser.add_argument("--only", default="", metavar="WORD", help="run boxes with this in their name")
    parser.add_argument(
        "--old", action="append", default=[], metavar="PYTHON", help="one that is too old (3.4 to 3.8)"
    )
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    columns = [(python, user) for python in arguments.pythons for user in (None, arguments.user)]
    columns = list(dict.fromkeys(columns))
    wrong: list[str] = []
    heads = [
        f"{os.path.basename(os.path.realpath(python))[6:]} {user or 'root'}"[:12] for python, user in columns
    ]
    print(" " * 26 + " ".join(head.ljust(12) for head in heads))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for name, body in BOXES.items():
            if arguments.only not in name:
                continue
            file = os.path.abspath(arguments.file)
            said = list(
                pool.map(lambda column: run_box(name, body, file, *column, arguments.old), columns)  # noqa: B023
            )
            print(
                name.ljust(26) + " ".join(("ok" if one == "ok" else "WRONG").ljust(12) for one in said),
                flush=True,
            )
            wrong += [f"{name}, {head}: {one}" for head, one in zip(heads, said) if one != "ok"]
    print(*wrong, sep="\n")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(min(main(), 99))

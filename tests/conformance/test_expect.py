"""Each verb: when it holds, and that it can fail."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from conformance import changes
from conformance.script import Write
from conformance.words import whole_text
from conformance.world.session import Implementation, World
from tests.conformance.support import TOP, case_of, chunk_of, fails, outcome_of, passes

# The runner itself: with the oldest Python and the newest it runs the whole suite.
pytestmark = pytest.mark.once


def test_a_run_demands_status_0() -> None:
    passes("run say hi\n")
    fails("run exit 1\n", "exit status is 1, not 0")
    fails("run exit 70\n", "exit status is 70")


def test_a_run_that_prints_an_error_fails() -> None:
    fails(
        'run warn \'{"error": "eval.fail", "at": null, "message": "m", "remedy": null}\'\n',
        "printed an error",
    )


def test_a_fail_demands_its_status_and_nothing_else() -> None:
    passes("fail errors eval.fail none\nerror eval.fail\n")
    fails("fail say hi\nerror eval.fail\n", "exit status is 0, not 1")
    fails("fail exit 2\nerror eval.fail\n", "exit status is 2, not 1")
    passes("fail 7 exit 7\n")
    passes("fail 1 exit 1\n")
    fails("fail 1 errors eval.fail none\n", "does not name")
    fails("fail 7 exit 6\n", "exit status is 6, not 7")


def test_a_signal_is_no_failure_that_a_case_can_expect() -> None:
    fails("fail kill 9\nerror eval.fail\n", "signal 9")
    fails("fail 137 kill 9\n", "signal 9")


def test_a_command_that_does_not_end_fails_the_case() -> None:
    started = time.monotonic()
    outcome = outcome_of(case_of("run hang\n"), seconds=0.3)
    assert (outcome.status, outcome.message) == ("failed", "it did not end within the time limit")
    assert time.monotonic() - started < 30


def test_an_error_is_matched_by_code_file_and_line_and_by_column_where_it_is_said() -> None:
    for at in ("", " at d/f.bramble", " at d/f.bramble:3", " at d/f.bramble:3:14"):
        passes(f"fail errors eval.fail d/f.bramble:3:14\nerror eval.fail{at}\n")
    for wrong in (
        " at f.bramble",
        " at d/f.bramble:4",
        " at d/f.bramble:3:1",
        " at d/f.bramble:1:3",
        " at none",
    ):
        fails(f"fail errors eval.fail d/f.bramble:3:14\nerror eval.fail{wrong}\n", "no such error")
    fails("fail errors eval.fail d/f.bramble:3\nerror eval.key at d/f.bramble:3\n", "no such error")
    passes("fail errors eval.fail none\nerror eval.fail at none\n")
    fails("fail errors eval.fail none\nerror eval.fail at f:1\n", "no such error")


def test_every_error_is_named_and_each_once() -> None:
    two = "fail errors eval.fail f:1 eval.fail f:2\n"
    passes(two + "error eval.fail at f:2\nerror eval.fail at f:1\n")
    fails(two + "error eval.fail at f:1\n", "errors that the case does not name: eval.fail at f:2")
    fails(two + "error eval.fail at f:1\nrun say x\n", "does not name")
    fails(
        "fail errors eval.fail f:1\nerror eval.fail\nerror eval.fail\n",
        "no such error; printed: none (an error is a line of",
    )


def test_an_error_without_its_keys_is_none() -> None:
    command = ("sh", "-c", 'echo \'{"error": "eval.fail"}\' >&2; exit 1')
    outcomes = [outcome_of(chunk_of(f"x{n} ### eval.fail\n"), command=command) for n in range(8)]
    assert {outcome.status for outcome in outcomes} == {"failed"}
    # Of some the program that must fail is run first.
    assert any("message" in outcome.message for outcome in outcomes)


DOCUMENT = 'run raw \'{"a": [1, {"b.c": "x"}], "t": true, "n": null, "d": "10"}\'\n'


def test_json_finds_values_by_path() -> None:
    for line in (
        "json a.0 1",
        'json a.1."b.c" x',
        'json a.1."b.c" "x"',
        "json a.# 2",
        "json t true",
        "json n null",
        'json d "10"',
        "json z (absent)",
        "json a.7 (absent)",
        'json a ~[{"b.c": "x"}, 1]',
        'json . {"a": [1, {"b.c": "x"}], "t": true, "n": null, "d": "10"}',
    ):
        passes(DOCUMENT + line + "\n")


def test_a_key_of_a_path_may_be_a_name() -> None:
    passes('run raw \'{"k": "x", "m": {"x": {"y": 1}}}\'\njson k $k\njson m.$k.y 1\njson m.${k} {"y": 1}\n')
    fails('run raw \'{"k": "z", "m": {"x": 1}}\'\njson k $k\njson m.$k 1\n', "nothing of that name")


def test_json_tells_unequal_values_apart() -> None:
    fails(DOCUMENT + "json a.0 2\n", "it is 1")
    fails(DOCUMENT + "json t 1\n", "it is true")
    fails(DOCUMENT + "json a.0 1.0\n", "it is 1")
    fails(DOCUMENT + "json d 10\n", 'it is "10"')
    fails(DOCUMENT + "json a.2 1\n", "nothing of that name")
    fails(DOCUMENT + "json n (absent)\n", "it is there: null")
    fails(DOCUMENT + "json a ~[1]\n", "it is [")
    fails("run say x\njson a 1\n", "not a JSON document")


def test_a_name_takes_the_first_value_and_demands_it_afterwards() -> None:
    passes('run raw \'{"a": "x", "b": "x"}\'\njson a $v\njson b $v\nrun say $v-${v}y\ntext stdout is x-xy\n')
    fails('run raw \'{"a": "x", "b": "y"}\'\njson a $v\njson b $v\n', 'it is "y"')
    fails("run raw '{\"a\": 1}'\njson a $v\n", "a name can only have a text")
    passes("run say hello\ntext stdout is $v\nrun say hello\ntext stdout is $v\n")
    fails("run raw 'a\nb'\n".replace("\n", "\\n", 1) + "text stdout is $v\n", "one line")


def test_text_is_compared_to_the_byte() -> None:
    passes("run say hi\ntext stdout is hi\n")
    fails("run raw hi\ntext stdout is hi\n", "b'hi'")
    fails("run say hi\ntext stdout is h\n", "b'hi\\n'")
    passes("run exit 0\ntext stdout empty\n")
    fails("run say\ntext stdout empty\n", "not empty")
    passes("run say 'a b'\ntext stdout line a b\n")
    fails("run say 'a b c'\ntext stdout line a b\n", "no such line")
    passes("run say abc\ntext stdout lacks abd\ntext stdout holds b\n")
    fails("run say abc\ntext stdout holds abd\n", "the text is not there")
    passes("run say '  a'\ntext stdout line   a\n")
    fails("run say '  a'\ntext stdout line a\n", "no such line")
    fails("run say abc\ntext stdout lacks b\n", "the text is there")
    passes("run warn 'a b'\ntext stderr line a b\n")
    passes("run say hi\ntext stdout like @want\n-- @want --\nhi\n")
    fails("run say ho\ntext stdout like @want\n-- @want --\nhi\n", "b'ho\\n'")


def test_text_of_a_file_is_that_files() -> None:
    passes("run say hi\ntext d/f is content\n-- d/f --\ncontent\n")
    fails("run say hi\ntext d/g is content\n-- d/f --\ncontent\n", "no file d/g")


def test_tree_sees_names_kinds_modes_targets_and_contents() -> None:
    made = "write t tree @t\nrun say x\n"
    listing = '-- @t --\ndir 0750 d\nfile 0640 d/f text "x"\nlink l -> d/f\n'
    passes(made + "tree t @t\n" + listing)
    for expected, message in (
        ('dir 0755 d\nfile 0640 d/f text "x"\nlink l -> d/f\n', "d: has mode 0750, not 0755"),
        ('dir * d\nfile 0640 d/f text "y"\nlink l -> d/f\n', "d/f: holds b'x', not b'y'"),
        ('dir * d\nfile 0640 d/f text "x"\nlink l -> d\n', "l: leads to 'd/f', not to 'd'"),
        ('dir * d\nfile 0640 d/f text "x"\n', "unexpected: l"),
        ('dir * d\nfile 0640 d/f text "x"\nlink l -> d/f\nfile 0644 z\n', "missing: z"),
        ('dir * d\nfile 0640 d/f text "x"\ndir 0755 l\n', "l: is a link, not a dir"),
    ):
        fails(made + "tree t @u\n" + listing + "-- @u --\n" + expected, message)
    passes("run say x\ntree t gone\n")
    fails("run say x\ntree t gone\n-- t --\n", "it is there")
    known = "write t tree @t\nrun say x\ntree t 5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r\n-- @t --\n"
    passes(known + 'file 0644 hi.txt text "hi"\n')
    fails(known + 'file 0644 hi.txt text "ho"\n', "digest")


def test_same_compares_files_and_trees() -> None:
    passes("run say x\nsame a b\n-- a --\nx\n-- b --\nx\n")
    fails("run say x\nsame a b\n-- a --\nx\n-- b --\ny\n", "differ")
    passes("run say x\nsame a b\n-- a/f --\nx\n-- b/f --\nx\n")
    fails("run say x\nsame a b\n-- a/f --\nx\n-- b/g --\nx\n", "missing: f")
    fails("run say x\nsame a b\n-- a/f --\nx\n-- b --\nx\n", "one is a directory")
    fails("run say x\nsame a b\n-- a --\nx\n", "there is no")


def test_write_changes_the_world_between_commands() -> None:
    passes("write f text two words\nrun say x\ntext f is two words\n")
    passes("write f from @g\nrun say x\ntext f is $$HOME\n-- @g --\n$HOME\n")
    passes("run say v\ntext stdout is $v\nwrite f fill @g\ntext f is v $$\n-- @g --\n$v $$\n")
    passes("write f copy g\nrun say x\nsame f g\n-- g --\nx\n")
    passes("write f gone\nrun say x\ntree f gone\n-- f --\nx\n")
    passes("write d mode 0555\nwrite d gone\nrun say x\ntree d gone\n-- d/f --\nx\n")
    passes('write d/f mode 0600\nrun say x\ntree d @l\n-- d/f --\nx\n-- @l --\nfile 0600 f text "x\\n"\n')
    passes("write d/l link nowhere\nrun say x\ntree d @l\n-- @l --\nlink l -> nowhere\n")
    passes("write f cut 2\nrun stdin < f > h\ntext stdout line ab\nsame f h\n-- f --\nabcd\n")
    passes("write g text x\nwrite g text y\nrun say x\ntext g is y\n")
    fails("write f fill @g\nrun say x\n-- @g --\n$nothing\n", "has no value", "broken")
    passes("write f replace b c -> d\nrun say x\ntext f is ad\n-- f --\nab c\n")
    fails("run say x\nwrite f replace c -> d\n-- f --\nab\n", "does not hold 'c'")
    passes("write d2/f1 text x\nrun say x\ntext $WORK/d*/*1 is x\n-- d2/f2 --\n")
    passes("write $WORK/d*/new text x\nrun say x\ntext d2/new is x\n-- d2/f2 --\n")
    fails("run say x\ntext $WORK/f* is x\n-- f1 --\nx\n-- f2 --\nx\n", "no file")


def test_write_gives_a_file_an_age(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "f").write_text("a")
    world = World(Implementation(()), str(tmp_path))
    changes.write(Write(whole_text("f"), "age", whole_text("3h")), world, {}, fixtures=True)
    changes.write(Write(whole_text("f"), "replace", whole_text("a -> b")), world, {}, fixtures=True)
    assert (work / "f").read_text() == "b"
    assert 0 <= time.time() - 3 * 3600 - (work / "f").stat().st_mtime < 60


def test_write_makes_archives_with_any_names() -> None:
    listing = '-- @t --\ndir 0755 d\nfile 0755 d/../../x text "x"\nlink l -> /etc\n'
    for name in ("a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip"):
        passes(f"write 1/{name} archive @t\nwrite 2/{name} archive @t\nrun say x\nsame 1 2\n" + listing)


def test_what_a_command_should_have_made_and_did_not_is_its_failure() -> None:
    fails("write a copy b\nrun say x\n", "FileNotFoundError", "broken")
    fails("run say x\nwrite a copy b\n", "FileNotFoundError")
    fails("run say x\nrun @made say x\n", "FileNotFoundError")


def test_environment_and_input_and_output_belong_to_the_case() -> None:
    passes("env X=1 2\nrun environment\njson X 1 2\n".replace("json X 1 2", 'json X "1 2"'))
    passes("env X=1\nenv X\nrun environment\njson X (absent)\n")
    passes("run stdin < f > g\nsame f g\n-- f --\nhello\n")
    passes("run stdin\ntext stdout empty\n")
    passes("run @d where\ntext stdout is $WORK/d\n-- d/f --\n")


def test_another_store_has_another_directory() -> None:
    passes("env BRAMBLE_PATH=$WORK/t\nrun say $BRAMBLE_PATH\ntext stdout is $WORK/t\n")
    store = "/t/bramble_store_padding/bramble_store_padding/br"
    passes(f"env BRAMBLE_PATH=/t\nrun say $STORE\ntext stdout is {store}\n")
    # What can be no store is the implementation's to refuse; the names keep their values.
    asked = "run say $STORE\ntext stdout is $before\n"
    passes(asked + "env BRAMBLE_PATH=relative\n" + asked)


def test_the_environment_is_the_one_that_the_chapter_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.test")
    monkeypatch.setenv("BRAMBLE_JOBS", "1")
    passes(
        "run environment\n"
        "json BRAMBLE_PATH $BRAMBLE_PATH\njson HOME $HOME\njson BRAMBLE_ERROR_FORMAT json\n"
        "json PATH /usr/local/bin:/usr/bin:/bin\njson LC_ALL C.UTF-8\n"
        "json https_proxy (absent)\njson BRAMBLE_JOBS (absent)\njson # 5\n"
    )


def test_serve_answers_as_its_routes_say() -> None:
    program = (
        "import sys, urllib.request as r\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(path.rpartition('/')[2], r.urlopen(path).read().decode().strip())\n"
        "    except Exception as e:\n"
        "        print(path.rpartition('/')[2], type(e).__name__, getattr(e, 'code', ''))\n"
    )
    routes = (
        "-- @r --\n/file file f\n/moved redirect /file\n/teapot status 418\n"
        "/half cut 2 f\n/second twice 503 f\n"
        "-- f --\ncontent\n"
    )
    script = (
        "serve web @r\n"
        "run $web/file $web/moved $web/teapot $web/half $web/second $web/second $web/none\n"
        "text stdout like @want\n" + routes + "-- @want --\n"
        "file content\nmoved content\nteapot HTTPError 418\nhalf IncompleteRead \n"
        "second HTTPError 503\nsecond content\nnone HTTPError 404\n"
    )
    outcome = outcome_of(case_of(script), command=("/usr/bin/env", "python3", "-c", program))
    assert outcome.status == "passed", outcome.message


def test_serve_speaks_tls_with_a_certificate() -> None:
    with open(os.path.join(TOP, "conformance/cases/build/fetch-tls.txt"), encoding="utf-8") as file:
        pem = file.read().partition("-- server.pem --\n")[2]
    program = (
        "import ssl, sys, urllib.request as r\n"
        "unverified = ssl._create_unverified_context()\n"
        "print(sys.argv[1][:8], r.urlopen(sys.argv[1], context=unverified).read().decode().strip())\n"
        "try: r.urlopen(sys.argv[1])\n"
        "except OSError as e: print(type(e.reason).__name__)\n"
    )
    script = (
        "serve web @r tls server.pem\nrun $web/file\ntext stdout like @want\n-- @r --\n/file file f\n"
        "-- @want --\nhttps:// content\nSSLCertVerificationError\n-- f --\ncontent\n-- server.pem --\n" + pem
    )
    outcome = outcome_of(case_of(script), command=("/usr/bin/env", "python3", "-c", program))
    assert outcome.status == "passed", outcome.message


def test_serve_answers_what_is_asked_of_it() -> None:
    program = (
        "import sys, http.client as h\n"
        "for words in sys.argv[2:]:\n"
        "    method, path, *fields = words.split(',')\n"
        "    c = h.HTTPConnection(sys.argv[1], timeout=0.2)\n"
        "    try:\n"
        "        c.request(method, path, headers=dict(one.split('=', 1) for one in fields))\n"
        "        a = c.getresponse()\n"
        "        try: print(a.status, a.read().decode().strip())\n"
        "        except h.IncompleteRead as e: print(a.status, e.partial.decode().strip(), 'cut')\n"
        "    except TimeoutError: print('silence')\n"
    )
    script = (
        "serve web @r\n"
        'run $web_at GET,/late GET,/late GET,/half GET,/half GET,/half,Range=bytes=4-,If-Range="half" '
        'GET,/half,Range=bytes=3-,If-Range="half" GET,/below/f GET,/below/g GET,/below GET,/below/../f '
        "GET,/closed GET,/closed,X=a GET,/closed,X=a\\ b GET,/open GET,/open,X=a "
        "GET,http://a.test/f CONNECT,a.test:443 GET,/joined\n"
        "text stdout like @want\n"
        "-- @r --\n/late late d/f\n/half halves d/f\n/below below d\n/closed file d/f if X a b\n"
        "/open file d/f if X\nhttp://a.test/f file d/f\na.test:443 status 407\n/joined raw head+d/f\n"
        "-- d/f --\ncontent\n-- head --\nHTTP/1.0 200 OK\n\n-- @want --\n"
        "silence\n200 content\n200 cont cut\n404 \n206 ent\n404 \n200 content\n404 \n404 \n404 \n"
        "401 \n401 \n200 content\n200 content\n401 \n200 content\n407 \n200 content\n"
    )
    script = script.replace("X=a\\ b", "'X=a b'").replace("GET,/closed,'", "'GET,/closed,")
    outcome = outcome_of(case_of(script), command=("/usr/bin/env", "python3", "-c", program))
    assert outcome.status == "passed", outcome.message


def test_a_capability_that_is_missing_ends_the_case_unclaimed() -> None:
    script = "run say x\ntext stdout is x\nneed host-tools\nrun exit 1\n"
    assert outcome_of(case_of(script), without="host-tools").status == "not claimed"
    assert outcome_of(case_of(script)).status == "failed"
    # What stood before has been checked.
    assert outcome_of(case_of("run exit 1\nneed host-tools\n"), without="host-tools").status == "failed"


def test_a_fixture_that_this_machine_lacks_is_not_claimed() -> None:
    case = case_of("write b fixture builder\nrun say x\n")
    assert outcome_of(case).status == "passed"
    assert outcome_of(case, without="fixture").status == "not claimed"


def test_the_digest_of_a_directory_is_recomputed() -> None:
    script = 'write t tree @t\nrun store hash t\n-- @t --\nfile 0644 hi.txt text "hi"\n-- answer --\n'
    passes(script + "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r\n")
    fails(script + "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6q\n", "has the digest 5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r")


HI = '{"Args":null,"Builder":"ho","Dependencies":null,"Env":null,"Name":"hi","Outputs":["out"],"Platform":"",'
HI += '"Sources":{"Files":null,"Location":""}}'


def test_the_ids_of_a_graph_are_recomputed() -> None:
    script = "run build --just-parse --json x\n-- answer --\n"
    good = '{"version": 1, "results": [], "graph": {"soen6obfffrahna6ojyc2cgxjx7jcmhv": ' + HI + "}}\n"
    passes(script + good)
    fails(script + good.replace("soen6", "soen7"), "should have the id soen6obfffrahna6ojyc2cgxjx7jcmhv")
    fails(script + good.replace('"hi"', '"ha"'), "should have the id")
    fails(script + good.replace('"Name":"hi",', ""), "is not a derivation")
    fails(script + good.replace("[]", '[{"target": "t", "derivations": ["x"]}]'), "not in the graph")


def test_a_chunk_succeeds_only_if_its_end_was_reached() -> None:
    assert outcome_of(chunk_of('print("a")\n')).status == "passed"
    stopped = outcome_of(chunk_of("stop\n"))
    assert stopped.status == "failed"
    # It is said what was given, with its lines.
    assert "stop" in stopped.shown and "what was given" in stopped.shown
    assert outcome_of(chunk_of("boom eval.fail\n")).status == "failed"


def test_a_chunk_fails_exactly_as_it_says() -> None:
    def message(body: str) -> str:
        return outcome_of(chunk_of(body)).message

    assert outcome_of(chunk_of("boom eval.fail:3 ### eval.fail\n")).status == "passed"
    assert outcome_of(chunk_of("boom eval.fail:3 ### eval.fail:3\n")).status == "passed"
    assert outcome_of(chunk_of("boom eval.fail:3 eval.key ### eval.key, eval.fail\n")).status == "passed"
    assert "no error eval.fail in column 4 of `boom eval.fail:3`" in message(
        "boom eval.fail:3 ### eval.fail:4\n"
    )
    assert "no error eval.key in `boom eval.fail`" in message("boom eval.fail ### eval.key\n")
    assert "no error eval.fail in `x`" in message("x ### eval.fail\nboom eval.fail\n")
    assert "errors that were not to come: eval.key" in message("boom eval.fail eval.key ### eval.fail\n")
    assert "exit status is 0" in message("x ### eval.fail\n")


def test_the_options_of_a_chunk_are_passed_on() -> None:
    outcome = outcome_of(chunk_of("options\nstop\n", allow="while, recursion"))
    assert "--allow-while --allow-recursion" in outcome.shown


def test_nothing_of_a_command_survives_it() -> None:
    outcome = outcome_of(case_of("run leave\ntext stdout is nothing\n"))
    pid = int(outcome.message.split("'")[1].replace("\\n", ""))
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    raise AssertionError("the process still runs")


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return os.path.exists(f"/proc/{pid}")

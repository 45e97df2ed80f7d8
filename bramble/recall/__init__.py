"""Reuse of earlier answers: records of answers, and the conditions under which they are valid.

A command that changes nothing is a function of what it reads. If everything that a command
read, and what it answered, need not run it again as long as all of that is as it was. This package notes
(`reads`), compares (`witness`) and keeps (`kept`, `answers`); what is to be noted, and which commands
change nothing, is decided by the readers and by the command line. It knows nothing of the rest of Bramble,
and loads next to nothing of Python's library, since what it saves is a few hundredths of a second.

What is assumed, and why it is safe:

1. *Every change of a file changes its stamp.* The kernel sets the change time (ctime) of a file on every
   write, `chmod`, rename and new link, and no program can set it to a moment of its choice. So a file of
   different content, even if its size, modification time and inode were restored, has another
   ctime. The stamp of a directory says in the same way that no name in it came, went or was replaced; that
   of a symbolic link, what it says.
2. *Except where the clock is too coarse to tell two changes apart.* The time of a file moves in steps, of
   the kernel's tick or of whole seconds. So a stamp is believed only if what it describes was last changed
   clearly before the process began that read it: everything it read then stood still while it ran, and
   whatever came later has another time. What is younger, or from the future because a clock was set, spoils
   the record, and the command is only slower.
3. *What was looked for in vain is noted like what was found.* A nearer `bramble.toml`, a second file that
   claims the name of a module, a file that a pattern would match: each is a path that had nothing, or a
   directory that had no more.
4. *What decides besides files is in the key*: the words, the working directory, the variables that are
   read, the user, the machine, the streams, the Python. The program's own modules are files that were read.
5. *A source is its bytes, its mode and its place.* What a build makes of it depends on nothing else, and the
   store knows the digest of what it took. So one that has another stamp, and the same owner, mode and size,
   is read again; if its bytes are those of then, the record holds, and gets the new stamp. Of modules no
   digest is noted: it would have to be that of the bytes that were evaluated.
6. *A record needs as much trust as a compiled module*: it decides what is printed. So it is read only
   from a directory and a file that belong to this user and that nobody else can write.

A command that has built something leaves no record for the next one, which would say something else: what
it depends on was changed a moment ago, so that the rule of 2 forbids it, and to wait and look at all of
it again would make each build slower for the sake of those that are given twice without an edit between.

The results in a store are files that are replaced and never written to, so the stamp of their directory
speaks for all of them; to ask each would cost more than all else. A manual change in one of them is not
noticed before something is built.

What breaks it: a program that writes through a shared mapping into a page that was dirty before (the kernel
notes one time for all writes until the page is written back); a file system that keeps no change time; a
clock that is set back so that a later change gets the nanosecond of an earlier one. Against the last a
record also says when it was made, and counts at no moment before. `--no-cache` ignores all records.
"""

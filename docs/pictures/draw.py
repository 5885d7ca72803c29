#!/usr/bin/env python3
"""Draw the pictures of docs/chapter.md.

  docs/pictures/draw.py                 write them beside this script
  docs/pictures/draw.py DIR             write them to DIR
  docs/pictures/draw.py DIR light|dark  write them to DIR in one colour scheme, to look at
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the working tree stays as it is

from svg import Picture


def fork_copies() -> Picture:
    """What fork copies, and what both processes share."""
    picture = Picture(
        "What fork copies",
        "Before fork, process 100 has its memory with gval 11 and lval 25, and a descriptor"
        " table whose entry 1 refers to the terminal. After fork there are two processes."
        " Process 100, where fork returned 101, and process 101, where fork returned 0, have"
        " a memory and a descriptor table each. Both entries 1 refer to the same open file"
        " in the kernel, which fork does not copy.",
        720, 400)  # fmt: skip
    memory = ["gval 11", "lval 25"]
    table = ["1: standard output"]
    picture.text(20, 30, "Before fork()", "bold")
    before = picture.panel(20, 42, 250, "parent", "process 100", [])
    picture.panel(20, 78, 250, "parent", "memory", memory)
    picture.panel(20, 156, 250, "parent", "descriptor table", table)
    file = "kernel: open file"
    kernel = picture.panel(20, 320, 250, "kernel", file, ["the terminal"])
    picture.arrow(120, 207, 120, kernel.y)
    picture.text(132, 262, "refers to", colour="soft")

    picture.text(310, 30, "After fork()", "bold")
    for x, kind, pid, result in (310, "parent", 100, 101), (520, "child", 101, 0):
        picture.panel(x, before.y, 185, kind, f"process {pid}", [])
        picture.panel(x, 78, 185, kind, "memory", [*memory, f"fork() gave {result}"])
        picture.panel(x, 175, 185, kind, "descriptor table", table)
        picture.arrow(x + 92, 226, 507 if x == 310 else 517, kernel.y)
    picture.panel(390, 320, 250, "kernel", file, ["one, not copied"])
    picture.text(310, 300, "both refer to", colour="soft")
    return picture


def life_of_a_zombie() -> Picture:
    """The states of a child between its end and its parent's waitpid."""
    picture = Picture(
        "The life of a zombie",
        "A line of time for the parent and one for the child. The parent calls fork and goes"
        " on with other work. The child runs, then ends with exit status 3: from here it is a"
        " zombie, state Z, without memory and open files, but with its row in the process"
        " table, and the kernel sends SIGCHLD to the parent. Only when the parent calls"
        " waitpid does it get the status 3, and the row is removed.",
        720, 290)  # fmt: skip
    picture.text(20, 30, "time", colour="soft")
    picture.arrow(62, 26, 700, 26)
    fork = picture.panel(20, 60, 90, "parent", "parent", ["fork()"])
    work = picture.panel(
        130, 60, 390, "parent", "does other work", ["waits for nothing"])  # fmt: skip
    end = picture.panel(540, 60, 160, "parent", "waitpid()", ["gets status 3"])
    for left, right in (fork, work), (work, end):
        picture.arrow(left.x + left.width, 85, right.x, 85)
    alive = picture.panel(130, 180, 125, "child", "child runs", ["state R or S"])
    dead = picture.panel(
        330, 180, 190, "dead", "zombie",
        ["state Z", "no memory, no files", "status 3 is kept"], dashed=True)  # fmt: skip
    gone = picture.panel(
        540, 180, 160, "page", "gone", ["number is free"], dashed=True)  # fmt: skip
    picture.arrow(65, fork.y + fork.height, 130, 205)
    picture.arrow(alive.x + alive.width, 205, dead.x, 205)
    picture.text(292, 197, "_exit(3)", "mono", "soft", "middle")
    picture.arrow(360, dead.y, 360, work.y + work.height)
    picture.text(370, 150, "SIGCHLD", "mono", "alarm")
    picture.arrow(620, end.y + end.height, 620, gone.y)
    picture.text(610, 150, "removes the row", colour="soft", anchor="end")
    return picture


def tables(picture: Picture, x: int, parent: list, child: list, count: str) -> None:
    """The two descriptor tables and the sockets that they refer to."""
    sockets = [
        picture.panel(x + 150, y, 165, "kernel", name, [count])
        for y, name in ((70, "listening socket"), (200, "connection"))
    ]
    for y, kind, row in (60, "parent", parent), (190, "child", child):
        words = ["open" if used else "closed" for used in row]
        lines = [f"{number}: {word}" for number, word in zip((3, 4), words)]
        table = picture.panel(x, y, 100, kind, kind, lines)
        for number, (used, socket) in enumerate(zip(row, sockets)):
            if used:
                start = table.y + 33 + 19 * number
                picture.arrow(x + table.width, start, socket.x, socket.y + 25)


def descriptor_tables() -> Picture:
    """What parent and child have open before and after their close()."""
    picture = Picture(
        "The descriptors of parent and child after accept and fork",
        "Left: right after fork, descriptor 3 of the parent and of the child refer to the"
        " listening socket, and descriptor 4 of both refers to the connection: each socket has"
        " two descriptors. Right: the parent has closed 4 and the child has closed 3, so that"
        " each socket has one descriptor. Now the child's close(4) ends the connection.",
        720, 300)  # fmt: skip
    picture.text(20, 30, "Right after fork()", "bold")
    tables(picture, 20, [True, True], [True, True], "2 descriptors")
    picture.text(385, 30, "After close() in both", "bold")
    tables(picture, 385, [True, False], [False, True], "1 descriptor")
    picture.line(360, 15, 360, 285, dashed=True)
    return picture


def many_exits() -> Picture:
    """Why a handler of SIGCHLD has a loop."""
    picture = Picture(
        "Many exits, one SIGCHLD",
        "Three children end while SIGCHLD is blocked. The first exit makes SIGCHLD pending;"
        " the second and the third find it pending and change nothing. When SIGCHLD is"
        " unblocked the handler runs once. With if it calls waitpid once, and two zombies"
        " stay. With while it calls waitpid until no zombie is left.",
        720, 330)  # fmt: skip
    picture.text(20, 30, "time", colour="soft")
    picture.arrow(62, 26, 700, 26)
    pending = picture.panel(
        20, 140, 470, "kernel", "SIGCHLD pending: yes or no, not a count", [""])  # fmt: skip
    picture.text(50, 178, "no", "mono", anchor="middle", inside=pending)
    for number, x in enumerate((120, 240, 360), 1):
        word = "yes" if number == 1 else "still yes"
        picture.text(x, 178, word, "mono", anchor="middle", inside=pending)
        child = picture.panel(x - 50, 50, 100, "child", f"child {number}", ["exits"])
        picture.arrow(x, child.y + child.height, x, pending.y)
    handler = picture.panel(530, 140, 170, "parent", "the handler runs", ["once"])
    picture.text(615, 110, "unblocked", colour="soft", anchor="middle")
    picture.arrow(615, 116, 615, handler.y)
    picture.arrow(pending.x + pending.width, 165, handler.x, 165)
    one = picture.panel(
        20, 240, 330, "dead", "if (waitpid(...) > 0)",
        ["1 collected, 2 zombies stay", "no signal will come for them"],
        dashed=True)  # fmt: skip
    loop = picture.panel(
        370, 240, 330, "parent", "while (waitpid(...) > 0)",
        ["3 collected, no zombie stays", "waitpid gives 0 or -1: done"])  # fmt: skip
    picture.arrow(570, handler.y + handler.height, 300, one.y)
    picture.arrow(615, handler.y + handler.height, 615, loop.y)
    return picture


def split_client() -> Picture:
    """The direction in which the bytes of the two processes go."""
    picture = Picture(
        "The split client",
        "Two processes of the client share one connection. The writing process reads the"
        " keyboard and writes to the connection; at the end of its input it calls shutdown"
        " with SHUT_WR, so that the server reads an end. The reading process reads the"
        " connection until the server closes it, and writes to the screen. Neither waits for"
        " the other.",
        720, 280)  # fmt: skip
    keys = picture.panel(20, 60, 110, "page", "keyboard", ["stdin"])
    screen = picture.panel(20, 200, 110, "page", "screen", ["stdout"])
    writer = picture.panel(
        180, 50, 190, "child", "writing process",
        ["getline, write", "then SHUT_WR"])  # fmt: skip
    reader = picture.panel(
        180, 190, 190, "parent", "reading process",
        ["read until 0", "then ends both"])  # fmt: skip
    conn = picture.box(420, 50, 120, 210, "kernel")
    picture.text(480, 130, "connection", "bold", anchor="middle", inside=conn)
    picture.text(480, 155, "two ways,", anchor="middle", inside=conn)
    picture.text(480, 175, "one socket", anchor="middle", inside=conn)
    server = picture.panel(590, 120, 110, "page", "server", ["echoes"])
    picture.arrow(keys.x + keys.width, 85, writer.x, 85)
    picture.arrow(writer.x + writer.width, 85, conn.x, 85)
    picture.arrow(conn.x + conn.width, 85, server.x + 50, server.y)
    picture.arrow(server.x + 50, server.y + server.height, conn.x + conn.width, 225)
    picture.arrow(conn.x, 225, reader.x + reader.width, 225)
    picture.arrow(reader.x, 225, screen.x + screen.width, 225)
    return picture


PICTURES = {
    "fork-copies": fork_copies,
    "life-of-a-zombie": life_of_a_zombie,
    "descriptor-tables": descriptor_tables,
    "many-exits": many_exits,
    "split-client": split_client,
}


def main(words: list[str]) -> None:
    directory = Path(words[0]) if words else Path(__file__).resolve().parent
    scheme = words[1] if len(words) > 1 else "both"
    for name, draw in PICTURES.items():
        (directory / f"{name}.svg").write_text(draw().svg(scheme))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The generated parts of docs/chapter.md in Korean, for docs/chapter.ko.md.

A line or a cell without a translation here is an error, so that none stays English.
"""

import re

WORDS = {
    "approach": "방법",
    "connections/s, 1 at once": "초당 연결 수, 동시에 1개",
    "connections/s, 16 at once": "초당 연결 수, 동시에 16개",
    "connections/s, 200 at once": "초당 연결 수, 동시에 200개",
    "16 at once": "동시에 16개",
    "200 at once": "동시에 200개",
    "first echo, p50": "첫 에코, p50",
    "first echo, p99": "첫 에코, p99",
    "memory of a held client": "열어 둔 클라이언트 하나의 메모리",
    "and in the kernel": "커널 메모리",
    "memory": "메모리",
    "holds one": "하나만 가능",
    "iterative": "한 번에 하나 (iterative)",
    "processes": "멀티프로세스 (processes)",
    "threads": "멀티스레드 (threads)",
    "prong, fresh": "prong, 새 프로세스 (fresh)",
    "prong, pool": "prong, 풀 (pool)",
    "(a) crashes": "(a) 비정상 종료된다",
    "(b) computes 2 s": "(b) 2초 동안 계산한다",
    "(c) leaks 200 MB": "(c) 메모리 200 MB를 잃는다",
    "(d) never reads": "(d) 읽지 않는다",
    "nobody else is served until it leaves": "떠날 때까지 아무도 서비스받지 못한다",
    "the memory is given back": "메모리는 반환된다",
    "best, or within a tenth of the best": "가장 좋거나 그 10 % 안",
    "nobody else notices": "다른 클라이언트에 영향이 없는 경우",
    "children": "자식 프로세스",
    "seconds": "시간(초)",
    "speed-up": "속도 향상",
    "interruptions": "코어를 빼앗긴 횟수",
}
PATTERNS = [
    (r"p99|select|epoll|-|---|[\d,.]+( µs| KiB)?|\(\w\)(, \(\w\))*", r"\g<0>"),
    (r"others wait ([\d,]+) ms at most", r"다른 클라이언트는 최대 \1 ms 기다린다"),
    (r"(\d+) of 10 are lost, and no new client is served",
     r"연결 10개 가운데 \1개가 끊기고, 새 클라이언트는 서비스받지 못한다"),
    (r"connections/s, (\d+) and (\d+) at once", r"초당 연결 수, 동시에 \1개와 \2개"),
    (r"connections/s, (\d+) and (\d+) and (\d+) at once",
     r"초당 연결 수, 동시에 \1개, \2개, \3개"),
    (r"the memory is kept: (\d+) MB", r"메모리 \1 MB가 돌아오지 않는다"),
    (r"failed: (.+)", r"실패: \1"),
    (r"Measured on ([\d-]+) by `make approaches`: Linux (\S+), (\d+) processors: (.+)\.",
     r"`make approaches`로 \1에 측정했다. 리눅스 \2, CPU \3개: \4."),
]  # fmt: skip
ALTERNATIVES = {
    "approaches-rate": "방법마다, 동시에 연결하는 클라이언트 수마다 막대가 하나씩 있다. 수치는"
    " 위의 첫 번째 표에 있다. prong의 막대는 색이 다르다.",
    "approaches-first": "방법마다 막대가 둘 있다. 첫 에코까지 걸린 시간의 p50과 p99다. 수치는"
    " 위의 첫 번째 표에 있다.",
    "approaches-memory": "방법마다 막대가 둘 있다. 프로세스의 메모리, 그리고 커널에 있는 페이지"
    " 테이블과 스택이다. 수치는 위의 첫 번째 표에 있다.",
    "approaches-trouble": "방법마다, 네 가지 경우마다, 모두가 영향을 받는지 그 클라이언트 하나만"
    " 영향을 받는지 나타낸다. 자세한 내용은 위의 두 번째 표에 있다.",
    "cores": "자식 프로세스 수마다 막대가 둘 있다. 계산에 걸린 시간과 속도 향상이다. 수치는 위의"
    " 표에 있다.",
}  # fmt: skip


def words(text):
    if text in WORDS:
        return WORDS[text]
    for pattern, korean in PATTERNS:
        if match := re.fullmatch(pattern, text):
            return match.expand(korean)
    raise ValueError(f"no Korean for {text!r}")


def cell(text):
    bold, text, mark = re.fullmatch(r"(\*\*|)(.*?)\1( ✓|)", text).groups()
    return bold + "; ".join(map(words, text.split("; "))) + bold + mark


def line(text):
    if text.startswith("| "):
        return "| " + " | ".join(map(cell, text[2:-2].split(" | "))) + " |"
    if image := re.fullmatch(r"!\[.*\]\((.*/([\w-]+)\.svg)\)", text):
        return f"![{ALTERNATIVES[image[2]]}]({image[1]})"
    return words(text) if text else ""


def in_korean(lines):
    return [line(text) for text in lines]

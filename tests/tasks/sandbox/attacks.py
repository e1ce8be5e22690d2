"""Programs that try to be judged right without being right, or to harm who judges them.

Each defines `f`, whose right answer is one more than its argument, and is run between programs that are
right. An attack that reaches something gives the right answer, which it would not give otherwise: PASS
means that it succeeded, where its outcome is not RIGHT. evalplus's own guard takes `open`, most of `os`
and `subprocess` away from programs; these attacks get them back where they need them.
"""

from __future__ import annotations

import textwrap

from hm_metrics.verdict import FAIL, PASS, TIMEOUT

# What becomes of a program, by level: strong, landlock, rlimit. None of it is PASS unless the level is
# one that docs/sandbox.md does not say stops it.
WRONG = dict.fromkeys("SLR", FAIL)
ENDED = dict.fromkeys("SLR", TIMEOUT)  # evalplus's word for a process that ended without a result
NOT_PASS = dict.fromkeys("SLR", f"{FAIL} or {TIMEOUT}")  # which of both is the kernel's timing
RIGHT = dict.fromkeys("SLR", PASS)  # it does something odd, and is right
ONLY_RLIMIT = {"S": FAIL, "L": FAIL, "R": PASS}


class Attack:
    """One program, and the status that it has at each level; `endless` if only a limit ends it."""

    def __init__(
        self, name: str, outcome: dict[str, str], program: str, endless: bool = False
    ) -> None:
        self.name, self.outcome, self.program = name, outcome, textwrap.dedent(program)
        self.endless = endless


HOSTILE = (
    # --- processes ---
    Attack("never returns", WRONG, "def f(x):\n    while True: pass", endless=True),
    Attack(
        "swallows the time limit",
        ENDED,
        """
        def spin():
            while True:
                try:
                    while True: pass
                except BaseException: pass
        def f(x):
            while True:
                try: spin()
                except BaseException: pass
        """,
        endless=True,
    ),
    Attack(
        "swallows the time limit, then gives up",
        WRONG,
        """
        def f(x):
            try:
                while True: pass
            except BaseException: return 0
        """,
        endless=True,
    ),
    Attack(
        "turns the timers and handlers off",
        ENDED,
        """
        import signal
        def f(x):
            for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)
            for number in (signal.SIGALRM, signal.SIGPROF, signal.SIGTERM, signal.SIGXCPU):
                signal.signal(number, signal.SIG_IGN)
            while True: pass
        """,
        endless=True,
    ),
    Attack("ends its process with success", ENDED, "import os\ndef f(x): os._exit(0)"),
    Attack("ends when loaded", ENDED, "import os\nos._exit(0)\ndef f(x): return x + 1"),
    Attack("exits", WRONG, "def f(x): raise SystemExit(0)"),
    Attack("interrupts", WRONG, "def f(x): raise KeyboardInterrupt"),
    Attack("crashes", ENDED, "import ctypes\ndef f(x): return ctypes.string_at(0)"),
    Attack("aborts", ENDED, "import os\ndef f(x): os.abort()"),
    Attack(
        "leaves threads",
        RIGHT,
        """
        import threading, time
        def f(x):
            for daemon in (True, False):
                threading.Thread(target=time.sleep, args=(99,), daemon=daemon).start()
            return x + 1
        """,
    ),
    Attack("takes 8 GB", WRONG, "def f(x): return bytearray(8 << 30)"),
    Attack(
        "kills its runner",
        WRONG,
        """
        import ctypes
        def f(x):
            libc = ctypes.CDLL(None)
            libc.kill(libc.getppid(), 9)
        """,
    ),
    # --- output ---
    Attack("floods print", RIGHT, "def f(x):\n    print('x' * 10**7)\n    return x + 1"),
    Attack(
        "floods descriptors 1 and 2",
        RIGHT,
        """
        import os
        def f(x):
            for number in range(1000):
                os.write(1, bytes(1 << 16)); os.write(2, bytes(1 << 16))
            return x + 1
        """,
    ),
    Attack(
        "floods the stream of results",
        WRONG,
        """
        import os
        def f(x):
            while True:
                for number in range(3, 64):
                    try: os.write(number, bytes(1 << 16))
                    except OSError: pass
        """,
    ),
    Attack(
        "floods the stream with messages that say nothing",
        NOT_PASS,
        """
        import os
        def f(x):
            while True:
                for number in range(3, 64):
                    try: os.write(number, (b'L' + bytes(8)) * 5000)
                    except OSError: pass
        """,
        endless=True,
    ),
    Attack("returns 256 MB", NOT_PASS, "def f(x): return 'x' * (1 << 28)"),
    Attack("returns a value without an end", WRONG, "def f(x):\n    while True: yield x"),
    Attack(
        "fills its folder",
        WRONG,
        "import io\ndef f(x): return io.open('a', 'wb', 0).write(bytes(64 << 20)) > 32 << 20 and x + 1",
    ),
    # --- equality ---
    Attack(
        "equals everything",
        WRONG,
        """
        class E:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            __hash__ = None
        def f(x): return E()
        """,
    ),
    Attack(
        "a number that lies",
        WRONG,
        """
        class E(int):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __index__(self): raise SystemExit
            __hash__ = int.__hash__
        def f(x): return E(0)
        """,
    ),
    Attack(
        "claims another class",
        WRONG,
        """
        class E:
            __class__ = int
            def __eq__(self, other): return True
        def f(x): return E()
        """,
    ),
    Attack(
        "changes what it is when asked",
        WRONG,
        """
        class E:
            __class__ = property(lambda self: self.become())
            def become(self):
                import os; os._exit(0)
            __reduce__ = __reduce_ex__ = __getattribute__ = lambda *_: 1 / 0
        def f(x): return E()
        """,
    ),
    Attack(
        "a metaclass that lies",
        WRONG,
        """
        class M(type):
            def __eq__(self, other): return True
            def __instancecheck__(self, other): return True
            def __hash__(self): return hash(int)
        class E(metaclass=M):
            def __eq__(self, other): return True
        def f(x): return E()
        """,
    ),
    # --- looking around ---
    Attack(
        "looks through frames",
        WRONG,
        """
        import sys
        def f(x):
            frame = sys._getframe()
            while frame:
                for scope in (frame.f_locals, frame.f_globals):
                    for name, value in list(scope.items()):
                        if 'expect' in name: return value[0]
                        if type(value) is list and x + 1 in value: return x + 1
                frame = frame.f_back
        """,
    ),
    Attack(
        "looks through the heap",
        WRONG,
        """
        import gc
        def f(x):
            for one in gc.get_objects():
                if type(one) is dict and ('expected' in one or 'canonical_solution' in one):
                    return x + 1
                if type(one).__name__ in ('Problem', 'Expected', 'Oracle'): return x + 1
        """,
    ),
    Attack(
        "looks for the solution and for earlier programs in its memory",
        WRONG,
        """
        import io
        # Backwards, so that it does not find what it holds itself.
        WANTED = bytes.fromhex('{canary}'), bytes.fromhex('{output}')
        def holds(found):
            at = found.find(b'a word t')
            while at >= 0:
                if any(found[at : at + len(one)][::-1] == one for one in WANTED): return True
                at = found.find(b'a word t', at + 1)
        def look():
            with io.open('/proc/self/maps', 'rb') as maps, io.open('/proc/self/mem', 'rb', 0) as memory:
                for line in maps:
                    where, rights = line.split()[:2]
                    start, end = (int(part, 16) for part in where.split(b'-'))
                    if b'w' in rights and end - start < 1 << 28:
                        memory.seek(start)
                        try: found = memory.read(end - start)
                        except OSError: continue
                        if holds(found): return True
        FOUND = look()
        def f(x): return FOUND and x + 1
        """,
    ),
    Attack(
        "reads the checker's files",
        ONLY_RLIMIT,
        "import io\ndef f(x): return io.open({store!r}, 'rb').read(6) == b'SQLite' and x + 1",
    ),
    Attack(
        "reads the data set",
        ONLY_RLIMIT,
        "import io\ndef f(x): return io.open({secret!r}, 'rb').read() == b'secret' and x + 1",
    ),
    # --- changing what judges ---
    Attack(
        "patches builtins",
        WRONG,
        """
        import builtins
        def f(x):
            yes = lambda *a, **k: True
            for name in ('all', 'any', 'len', 'isinstance', 'bool', 'abs', 'type', 'id', 'map'):
                setattr(builtins, name, yes)
            return 0
        """,
    ),
    Attack(
        "patches numpy",
        WRONG,
        """
        import numpy
        def f(x):
            numpy.allclose = numpy.isclose = numpy.array_equal = lambda *a, **k: True
            numpy.ndarray = object
            return float(x)
        """,
    ),
    Attack(
        "patches modules of the checker",
        WRONG,  # ours are not found in sys.modules
        """
        import sys
        def f(x):
            for name, module in list(sys.modules.items()):
                if name.startswith(('hm_tasks', 'evalplus', 'struct', 'pickle')):
                    for member in list(vars(module)):
                        if not member.startswith('__'):
                            setattr(module, member, lambda *a, **k: b'')
            return 0
        """,
    ),
    Attack(
        "removes modules",
        RIGHT,
        "import sys\ndef f(x):\n    sys.modules.clear()\n    return x + 1",
    ),
    Attack(
        "overwrites the inputs to come",
        WRONG,
        """
        import sys
        def f(x):
            frame = sys._getframe(1)
            for value in [*frame.f_locals.values()]:
                if type(value) is list and value and type(value[0]) is list:
                    for one in value: one[:] = [1]
            return 2
        """,
    ),
    # --- forging ---
    Attack(
        "forges the end of a run",
        WRONG,
        """
        import os
        def f(x):
            for number in range(3, 64):
                try: os.write(number, b'E' + bytes(8))
                except OSError: pass
            os._exit(0)
        """,
    ),
    Attack(
        "forges a status",
        WRONG,
        """
        import os
        def f(x):
            for number in range(3, 64):
                try: os.write(number, b'pass\\n' * 10)
                except OSError: pass
            os._exit(0)
        """,
    ),
    Attack(
        "forges outputs for all tests",
        WRONG,
        """
        import os, struct
        from hm_tasks.sandbox.wire.plain import encode
        def f(x):
            for number in range(3, 64):
                for output in (2, 2, 2, 2):
                    data = encode(output)
                    try: os.write(number, struct.pack('<cQ', b'O', len(data)) + data)
                    except OSError: pass
            os._exit(0)
        """,
    ),
    Attack(
        "a bomb in place of a pickle",
        WRONG,
        """
        import os
        class Bomb:
            def __reduce__(self): return os.system, ('touch /tmp/hm-attack-bomb',)
            __reduce_ex__ = __getstate__ = __reduce__
        def f(x): return [Bomb(), {1: Bomb()}]
        """,
    ),
    Attack(
        "a pickle in the stream of results",
        WRONG,
        """
        import os, pickle, struct
        class Bomb:
            def __reduce__(self): return eval, ("__import__('io').open('/tmp/hm-attack-bomb', 'w')",)
        def f(x):
            data = pickle.dumps(Bomb())
            for number in range(3, 64):
                try: os.write(number, struct.pack('<cQ', b'O', len(data)) + data)
                except OSError: pass
            os._exit(0)
        """,
    ),
    Attack(
        "data that unpack to more than there is",
        WRONG,
        """
        import os, struct
        def f(x):
            data = b'V' + b'l' + struct.pack('<I', 2**32 - 1) + b'N'
            for number in range(3, 64):
                try: os.write(number, struct.pack('<cQ', b'O', len(data)) + data)
                except OSError: pass
            os._exit(0)
        """,
    ),
)

# SPDX-License-Identifier: GPL-2.0
"""Commands for gdb on a driver process: what the kernel code in it knows of tasks, modules and its log."""

import struct

import gdb
from gdb.unwinder import Unwinder

RECORD = 0x3f800000             # lib/host/include/layout.h: UDF_DEBUG_BASE
LOG_SIZE = 64 << 10             # lib/debug/record.h
MODULE_SIZE = 8 + 64 + 440 + 6 * 8
HEAD = 8 + 4 + 4 + 512


def read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def text(raw):
    return raw.split(b'\0', 1)[0].decode('utf-8', 'replace')


def check_record():
    try:
        if read(RECORD, 8) == b'UDFdebug':
            return
    except gdb.error:
        pass
    raise gdb.GdbError('no driver runs in this process')


class Log(gdb.Command):
    """udf-log [LINES]: the last of the driver's log, at most 64 KiB of it; LINES: only so many lines."""

    def __init__(self):
        super().__init__('udf-log', gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        check_record()
        logged, = struct.unpack('<Q', read(RECORD + HEAD, 8))
        ring = read(RECORD + HEAD + 8, LOG_SIZE)
        if logged > LOG_SIZE:
            at = logged % LOG_SIZE
            ring = (ring[at:] + ring[:at]).split(b'\n', 1)[-1]
        else:
            ring = ring[:logged]
        lines = ring.decode('utf-8', 'replace').splitlines()
        for line in lines[-int(arg):] if arg else lines:
            print(line)


class Modules(gdb.Command):
    """udf-modules: the modules, the addresses of their code, and their files."""

    def __init__(self):
        super().__init__('udf-modules', gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        check_record()
        for i in range(256):
            raw = read(RECORD + HEAD + 8 + LOG_SIZE + i * MODULE_SIZE, MODULE_SIZE)
            state, _ = struct.unpack('<II', raw[:8])
            if state:
                start, = struct.unpack('<Q', raw[512:520])
                print('%-24s %#x  %s' % (text(raw[8:72]), start, text(raw[72:512])))


class TaskUnwinder(Unwinder):
    """While ON: the caller of the innermost frame is where a task that does not run has left off."""

    def __init__(self):
        super().__init__('udf-task')
        self.on = None
        self.sp = 0

    def __call__(self, pending_frame):
        # not its level: functions that are inlined there have levels of their own
        if not self.on or pointer(pending_frame.read_register('rsp')) != self.sp:
            return None
        registers, self.frame = self.on, None
        inner = gdb.Value(registers['rsp'] - 16).cast(gdb.lookup_type('long'))
        info = pending_frame.create_unwind_info(FrameId(inner, pending_frame.read_register('rip')))
        kind = pending_frame.read_register('rip').type
        for name, value in registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(kind if name == 'rip' else gdb.lookup_type('long')))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


def pointer(value):
    return int(value) & 0xffffffffffffffff


def kapi_type(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        raise gdb.GdbError('kapi\'s debug information is missing: the object that the image was prepared with is gone')


def symbol(name):
    return pointer(gdb.parse_and_eval('(long)&%s' % name))


def quad(address):
    return struct.unpack('<Q', read(address, 8))[0]


class Tasks(gdb.Command):
    """udf-tasks [NAME]: the kernel's tasks with their back traces; NAME: only those whose name has NAME in it.

The traces of tasks that run on a vCPU are those of its thread: 'info threads', 'thread apply all backtrace'."""

    STATES = {0: 'R', 1: 'S', 2: 'D', 0x402: 'I', 0x80: 'X'}

    def __init__(self, unwinder):
        super().__init__('udf-tasks', gdb.COMMAND_STACK)
        self.unwinder = unwinder

    @staticmethod
    def all():
        """Every task but the vCPUs' idle ones, from init_task's list."""
        kind = kapi_type('struct task_struct')
        offset = [f for f in kind.fields() if f.name == 'tasks'][0].bitpos // 8
        first = symbol('init_task')
        at = first
        while True:
            yield gdb.Value(at).cast(kind.pointer()).dereference()
            at = quad(at + offset) - offset
            if at == first:
                return

    def frames(self, sp):
        """The back trace of a task that __switch_to_asm has left: six registers, then the return address."""
        names = ('r15', 'r14', 'r13', 'r12', 'rbx', 'rbp', 'rip')
        registers = dict(zip(names, struct.unpack('<7Q', read(sp, 56))))
        registers['rsp'] = sp + 56
        self.unwinder.sp = pointer(gdb.newest_frame().read_register('rsp'))
        self.unwinder.on = registers
        gdb.invalidate_cached_frames()
        try:
            frame = gdb.newest_frame()
            while frame.type() == gdb.INLINE_FRAME:
                frame = frame.older()
            frame = frame.older()
            while frame is not None:
                yield frame
                frame = frame.older()
        finally:
            self.unwinder.on = None
            gdb.invalidate_cached_frames()

    def trace(self, task):
        for n, frame in enumerate(self.frames(int(task['thread']['sp']))):
            line = frame.find_sal()
            where = ' at %s:%d' % (line.symtab.filename, line.line) if line.symtab else ''
            print('  #%-2d %#x in %s%s' % (n, frame.pc(), frame.name() or '??', where))

    def invoke(self, arg, from_tty):
        check_record()
        selected = gdb.selected_frame() if gdb.selected_thread() else None
        level = selected.level() if selected else 0
        for task in self.all():
            name = task['comm'].string()
            if arg and arg not in name:
                continue
            running = bool(int(task['on_cpu']))
            state = int(task['__state'])
            print('%s  pid %d  vCPU %d  %s  task %#x' % (name, int(task['pid']), int(task['thread_info']['cpu']),
                  'running' if running else self.STATES.get(state, hex(state)), pointer(task.address)))
            if not running:
                self.trace(task)
        if level:
            gdb.execute('frame %d' % level, to_string=True)


task_unwinder = TaskUnwinder()
gdb.unwinder.register_unwinder(None, task_unwinder, replace=True)
Log()
Modules()
Tasks(task_unwinder)

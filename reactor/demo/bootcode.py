"""Boot sectors: guests of 512 bytes that panic, read their disk or open a port, with no system.

Each sector is kept as its listing, ``address | bytes | label | instruction | why``, and
the bytes are taken from the listing, so that the two cannot drift apart. The firmware
loads a sector at 0x7c00 in real mode; its parameters stand at 0x7df0.

What the guest does can be read from the debug console (port 0xe9):
``U`` it booted and works, ``.`` a heartbeat (18.2 a second), ``!`` a heartbeat whose disk
read failed, ``P`` it panics now.
"""

import struct
from typing import Final

_ORIGIN: Final = 0x7C00
_PARAMETERS: Final = 0x7DF0 - _ORIGIN

EVERY_BOOT: Final = 255
"""As a number of panics: the guest never comes up, it panics after every reset."""

_PANICKED: Final = 1
_CRASH_LOADED: Final = 2

# Parameters: 7df0 byte, panics wanted; 7df1 byte, what is told to pvpanic; 7df2 word,
# ticks before a panic; 7df4 byte, reads its disk; 7df5 byte, has an agent's port;
# 7df6 word, ticks between two changes of that port, 0 for a port that stays open.
#
# CMOS byte 0x60 counts the panics: it survives a reset, but not the end of QEMU.
# The counter stops at 254, so that 255 wanted panics are never reached.
# Vector 2 is the NMI: inject-nmi makes any guest panic at once, once it is up.
GUEST_LISTING: Final = """
7c00 | fa                | start: | cli                     |
7c01 | 31 c0             |        | xor ax, ax              |
7c03 | 8e d8             |        | mov ds, ax              |
7c05 | 8e c0             |        | mov es, ax              |
7c07 | 8e d0             |        | mov ss, ax              |
7c09 | bc 00 7c          |        | mov sp, 0x7c00          |
7c0c | c7 06 08 00 2c 7c |        | mov word [0x8], die     | NMI vector, offset
7c12 | a3 0a 00          |        | mov [0xa], ax           | NMI vector, segment
7c15 | b0 60             |        | mov al, 0x60            | CMOS byte 0x60: panics so far
7c17 | e6 70             |        | out 0x70, al            |
7c19 | e4 71             |        | in al, 0x71             |
7c1b | 3a 06 f0 7d       |        | cmp al, [0x7df0]        | enough of them?
7c1f | 73 32             |        | jae up                  |
7c21 | 8b 0e f2 7d       |        | mov cx, [0x7df2]        | ticks to live
7c25 | e3 05             |        | jcxz die                |
7c27 | fb                |        | sti                     |
7c28 | f4                | wait:  | hlt                     | the timer wakes it, 18.2 a second
7c29 | e2 fd             |        | loop wait               |
7c2b | fa                |        | cli                     |
7c2c | 31 c0             | die:   | xor ax, ax              | an NMI may come from the firmware
7c2e | 8e d8             |        | mov ds, ax              | ... with another data segment
7c30 | b0 60             |        | mov al, 0x60            |
7c32 | e6 70             |        | out 0x70, al            |
7c34 | e4 71             |        | in al, 0x71             |
7c36 | 3c fe             |        | cmp al, 254             | carry when below: one more panic
7c38 | 14 00             |        | adc al, 0               |
7c3a | e6 71             |        | out 0x71, al            |
7c3c | b0 50             |        | mov al, 'P'             |
7c3e | e6 e9             |        | out 0xe9, al            |
7c40 | ba 05 05          |        | mov dx, 0x505           | pvpanic: 1 panicked, 2 crash-loaded
7c43 | a0 f1 7d          |        | mov al, [0x7df1]        |
7c46 | ee                |        | out dx, al              | QEMU may stop the guest here
7c47 | 3c 02             |        | cmp al, 2               |
7c49 | 75 04             |        | jne dead                |
7c4b | b0 fe             |        | mov al, 0xfe            | a crash kernel would dump and reboot:
7c4d | e6 64             |        | out 0x64, al            | ... reset by the keyboard controller
7c4f | fa                | dead:  | cli                     | nothing but a reset or an NMI helps
7c50 | f4                |        | hlt                     |
7c51 | eb fc             |        | jmp dead                |
7c53 | b0 55             | up:    | mov al, 'U'             |
7c55 | e6 e9             |        | out 0xe9, al            |
7c57 | 80 3e f5 7d 00    |        | cmp byte [0x7df5], 0    | an agent's port?
7c5c | 74 71             |        | je beat                 |
7c5e | ba f8 0c          |        | mov dx, 0xcf8           | PCI 00:05.0, the command register
7c61 | 66 b8 04 28 00 80 |        | mov eax, 0x80002804     |
7c67 | 66 ef             |        | out dx, eax             |
7c69 | b2 fc             |        | mov dl, 0xfc            |
7c6b | b0 07             |        | mov al, 7               | I/O, memory, bus master
7c6d | ee                |        | out dx, al              |
7c6e | b2 f8             |        | mov dl, 0xf8            | the I/O base of virtio-serial
7c70 | 66 b8 10 28 00 80 |        | mov eax, 0x80002810     |
7c76 | 66 ef             |        | out dx, eax             |
7c78 | b2 fc             |        | mov dl, 0xfc            |
7c7a | ed                |        | in ax, dx               |
7c7b | 24 fc             |        | and al, 0xfc            |
7c7d | 89 c5             |        | mov bp, ax              |
7c7f | 8d 56 12          |        | lea dx, [bp+18]         | status: acknowledge, driver
7c82 | b0 03             |        | mov al, 3               |
7c84 | ee                |        | out dx, al              |
7c85 | bf 00 90          |        | mov di, 0x9000          | queue memory: 8 KiB of zeros
7c88 | b9 00 10          |        | mov cx, 0x1000          |
7c8b | 31 c0             |        | xor ax, ax              |
7c8d | f3 ab             |        | rep stosw               |
7c8f | 8d 56 0e          |        | lea dx, [bp+14]         | queue 3: control, guest to host
7c92 | b0 03             |        | mov al, 3               |
7c94 | ef                |        | out dx, ax              |
7c95 | 8d 56 08          |        | lea dx, [bp+8]          | its page
7c98 | 66 b8 09 00 00 00 |        | mov eax, 9              |
7c9e | 66 ef             |        | out dx, eax             |
7ca0 | 8d 56 12          |        | lea dx, [bp+18]         | status: and driver ready
7ca3 | b0 07             |        | mov al, 7               |
7ca5 | ee                |        | out dx, al              |
7ca6 | c7 06 00 90 00 98 |        | mov word [0x9000],0x9800| descriptor 0: the message below
7cac | c6 06 08 90 08    |        | mov byte [0x9008], 8    | ... of 8 bytes
7cb1 | c6 06 00 98 01    |        | mov byte [0x9800], 1    | port 1
7cb6 | c6 06 04 98 06    |        | mov byte [0x9804], 6    | event 6: port opened or closed
7cbb | 80 36 06 98 01    | flip:  | xor byte [0x9806], 1    | value: open or closed
7cc0 | ff 06 02 92       |        | inc word [0x9202]       | one more message is available
7cc4 | 8d 56 10          |        | lea dx, [bp+16]         | notify queue 3
7cc7 | b8 03 00          |        | mov ax, 3               |
7cca | ef                |        | out dx, ax              |
7ccb | 8b 36 f6 7d       |        | mov si, [0x7df6]        |
7ccf | fb                | beat:  | sti                     |
7cd0 | f4                |        | hlt                     |
7cd1 | 80 3e f4 7d 00    |        | cmp byte [0x7df4], 0    | a disk to read?
7cd6 | 74 12             |        | je alive                |
7cd8 | b8 01 02          |        | mov ax, 0x0201          | read one sector
7cdb | bb 00 80          |        | mov bx, 0x8000          | ... to 0:8000
7cde | b9 01 00          |        | mov cx, 1               | ... cylinder 0, sector 1
7ce1 | ba 80 00          |        | mov dx, 0x80            | ... head 0 of the first disk
7ce4 | cd 13             |        | int 0x13                |
7ce6 | b0 21             |        | mov al, '!'             |
7ce8 | 72 02             |        | jc tell                 |
7cea | b0 2e             | alive: | mov al, '.'             |
7cec | e6 e9             | tell:  | out 0xe9, al            |
7cee | 83 3e f6 7d 00    |        | cmp word [0x7df6], 0    | a port that flips?
7cf3 | 74 da             |        | je beat                 |
7cf5 | 4e                |        | dec si                  |
7cf6 | 75 d7             |        | jne beat                |
7cf8 | eb c1             |        | jmp flip                |
"""

# Parameter: 7df0 byte, 1 to give the memory back, 0 to refuse.
# ACPI memory hotplug, ports from 0xa00: +0 slot, +4 event and +8 status of _OST,
# +0x14 flags (read bit 2: removal is asked for; write bit 2: seen, bit 3: eject).
UNPLUG_LISTING: Final = """
7c00 | 31 c0             | start: | xor ax, ax              |
7c02 | 8e d8             |        | mov ds, ax              |
7c04 | 8e d0             |        | mov ss, ax              |
7c06 | bc 00 7c          |        | mov sp, 0x7c00          |
7c09 | b0 55             |        | mov al, 'U'             |
7c0b | e6 e9             |        | out 0xe9, al            |
7c0d | ba 00 0a          |        | mov dx, 0xa00           | slot 0
7c10 | 66 31 c0          |        | xor eax, eax            |
7c13 | 66 ef             |        | out dx, eax             |
7c15 | fb                | poll:  | sti                     |
7c16 | f4                |        | hlt                     | look 18.2 times a second
7c17 | ba 14 0a          |        | mov dx, 0xa14           |
7c1a | ec                |        | in al, dx               |
7c1b | a8 04             |        | test al, 4              | is removal asked for?
7c1d | 74 f6             |        | jz poll                 |
7c1f | b0 04             |        | mov al, 4               | seen
7c21 | ee                |        | out dx, al              |
7c22 | 80 3e f0 7d 00    |        | cmp byte [0x7df0], 0    |
7c27 | 74 05             |        | je refuse               |
7c29 | b0 08             |        | mov al, 8               | eject
7c2b | ee                |        | out dx, al              |
7c2c | eb e7             |        | jmp poll                |
7c2e | ba 04 0a          |refuse: | mov dx, 0xa04           |
7c31 | 66 b8 03 00 00 00 |        | mov eax, 3              | _OST event: ejection request
7c37 | 66 ef             |        | out dx, eax             |
7c39 | ba 08 0a          |        | mov dx, 0xa08           |
7c3c | b0 01             |        | mov al, 1               | _OST status: failure
7c3e | 66 ef             |        | out dx, eax             |
7c40 | eb d3             |        | jmp poll                |
"""

# QEMU 7.2 without KVM notices a write to a page only once after each flush of its TLB: without
# the flush (a change of CR4.PSE, which means nothing in real mode) the second pass of a migration
# would find no page to send.
DIRTYING_LISTING: Final = """
7c00 | fa                | start: | cli                     |
7c01 | b0 55             |        | mov al, 'U'             |
7c03 | e6 e9             |        | out 0xe9, al            |
7c05 | b8 00 10          | again: | mov ax, 0x1000          | from 64 KiB
7c08 | 8e d8             | chunk: | mov ds, ax              |
7c0a | 31 db             |        | xor bx, bx              |
7c0c | fe 07             | page:  | inc byte [bx]           | one byte of each page
7c0e | 81 c3 00 10       |        | add bx, 0x1000          |
7c12 | 75 f8             |        | jnz page                |
7c14 | 05 00 10          |        | add ax, 0x1000          |
7c17 | 3d 00 90          |        | cmp ax, 0x9000          | up to 576 KiB
7c1a | 72 ec             |        | jb chunk                |
7c1c | 0f 20 e0          |        | mov eax, cr4            |
7c1f | 66 83 f0 10       |        | xor eax, 0x10           | PSE: flushes the TLB
7c23 | 0f 22 e0          |        | mov cr4, eax            |
7c26 | eb dd             |        | jmp again               |
"""


def guest_code(
    *,
    panics: int = 1,
    crash_kernel: bool = False,
    delay_ticks: int = 0,
    reads_disk: bool = False,
    agent_ticks: int | None = None,
) -> bytes:
    """The boot sector of a guest that panics so many times and then works.

    Once it works it panics at QMP ``inject-nmi``, too.

    Args:
        panics: 0 to 254, counted over resets; `EVERY_BOOT` for a crash loop.
        crash_kernel: it tells pvpanic that a crash kernel is loaded
            (GUEST_CRASHLOADED) and resets itself, as kdump inside a guest does.
        delay_ticks: how long it lives before a panic, in ticks of 55 ms.
        reads_disk: at every heartbeat it reads the first sector of its first hard disk.
        agent_ticks: it opens port 1 of the virtio-serial device at PCI slot 5, then closes
            and opens it for ever, each time after so many ticks; 0 leaves it open.

    Raises:
        ValueError: a number that does not fit in its parameter.
    """
    signal = _CRASH_LOADED if crash_kernel else _PANICKED
    agent = (agent_ticks is not None, agent_ticks or 0)
    try:
        parameters = struct.pack("<BBH??H", panics, signal, delay_ticks, reads_disk, *agent)
    except struct.error as error:
        message = f"panics must be 0 to 255, ticks 0 to 65535: {error}"
        raise ValueError(message) from None
    return _sector(GUEST_LISTING, parameters)


def unplug_code(*, ejects: bool) -> bytes:
    """The boot sector of a guest that gives its first memory device back, or refuses to."""
    return _sector(UNPLUG_LISTING, bytes([ejects]))


def dirtying_code() -> bytes:
    """The boot sector of a guest that writes to 512 KiB of its memory without a pause."""
    return _sector(DIRTYING_LISTING, b"")


def _sector(listing: str, parameters: bytes) -> bytes:
    """512 bytes: the code, its parameters, and the firmware's boot signature."""
    code = _assemble(listing).ljust(_PARAMETERS, b"\0")
    return (code + parameters).ljust(510, b"\0") + b"\x55\xaa"


def _assemble(listing: str) -> bytes:
    """The bytes of a listing; a line that does not stand at its address is a ValueError."""
    code = b""
    for line in listing.strip().splitlines():
        address, octets, _ = line.split("|", 2)
        if int(address, 16) != _ORIGIN + len(code):
            raise ValueError(f"the line is not at {_ORIGIN + len(code):x}: {line}")
        code += bytes.fromhex(octets)
    return code

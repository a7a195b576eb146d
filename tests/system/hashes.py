"""Which member of a balanced group has whom, by another hand: CARP.md §12."""

import functools
import hashlib
import hmac
import ipaddress
import operator
import struct


def _jenkins(a, b, c):
    """One mix of Bob Jenkins' 1996 hash, modulo 2^32."""
    mask = 0xFFFFFFFF
    for first, second, third in ((13, 8, 13), (12, 16, 5), (3, 10, 15)):
        a = (a - b - c & mask) ^ c >> first
        b = (b - c - a & mask) ^ (a << second & mask)
        c = (c - a - b & mask) ^ b >> third
    return c


def openbsd(key):
    """Returns the function of a MAC (6 bytes) to its 32-bit hash."""
    raw = key.encode()[:20].ljust(64, b"\0")
    inner = hashlib.sha1(bytes(k ^ 0x36 for k in raw) + b"\x02\x01").digest()
    kmd = struct.unpack("<5I", inner)
    low, high = kmd[0] ^ kmd[1], kmd[2] ^ kmd[3]
    start = int.from_bytes(raw[:4], "little")

    def of(mac):
        a = 0x9E3779B9 + int.from_bytes(mac[:4], "little")
        b = low + (mac[5] << 8) + mac[4]
        return _jenkins(a & 0xFFFFFFFF, b & 0xFFFFFFFF, high + start & 0xFFFFFFFF)
    return of


def balance_key(key):
    """HKDF-SHA256 (RFC 5869) without salt: its first 16 bytes."""
    extracted = hmac.new(bytes(32), key.encode(), hashlib.sha256).digest()
    return hmac.new(extracted, b"koi arpbalance v1\x01", hashlib.sha256).digest()[:16]


def siphash(key):
    """SipHash-2-4 of a short text of bytes, under balance_key(key)."""
    k0, k1 = struct.unpack("<QQ", balance_key(key))
    return lambda data: siphash24(k0, k1, data)


def siphash24(k0, k1, data):
    mask = 0xFFFFFFFFFFFFFFFF
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def left(x, n):
        return (x << n | x >> 64 - n) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = v[0] + v[1] & mask
            v[2] = v[2] + v[3] & mask
            v[1], v[3] = left(v[1], 13) ^ v[0], left(v[3], 16) ^ v[2]
            v[0] = left(v[0], 32)
            v[2] = v[2] + v[1] & mask
            v[0] = v[0] + v[3] & mask
            v[1], v[3] = left(v[1], 17) ^ v[2], left(v[3], 21) ^ v[0]
            v[2] = left(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def fold(source, destination):
    """C12.13: of a packet's addresses."""
    raw = b"".join(ipaddress.ip_address(a).packed for a in (source, destination))
    return functools.reduce(operator.xor, struct.unpack(f">{len(raw) // 4}I", raw))

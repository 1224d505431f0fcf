"""JSON as Go's encoding/json reads it: error texts, strings, depth, names; base64 and media types beside it.

Expectations are those of Go 1.25.5's encoding/json, encoding/base64 and mime, run beside this code.
"""

import json
import random
from contextlib import suppress

import pytest

from egressprobe.golang.http.media_type import media_type
from egressprobe.golang.jose.base64_text import Base64Error, decode_raw_url, decode_standard
from egressprobe.golang.jose.field_decode import folded
from egressprobe.golang.jose.json_text import NUMBER, JsonError, JsonObject, go_text, kind_of, parse_json
from tests.support.cpu_time import assert_linear

SYNTAX = [
    (b"", "unexpected end of JSON input"),
    (b" \n", "unexpected end of JSON input"),
    (b"<html>", "invalid character '<' looking for beginning of value"),
    (b"\xef\xbb\xbf{}", "invalid character '\u00ef' looking for beginning of value"),
    (b"\x00", "invalid character '\\x00' looking for beginning of value"),
    (b"\xad", "invalid character '\\u00ad' looking for beginning of value"),
    (b"'a'", "invalid character '\\'' looking for beginning of value"),
    (b"{}}", "invalid character '}' after top-level value"),
    (b"{} {}", "invalid character '{' after top-level value"),
    (b"01", "invalid character '1' after top-level value"),
    (b"1.5.2", "invalid character '.' after top-level value"),
    (b"1e+1.0", "invalid character '.' after top-level value"),
    (b'{"a" 1}', "invalid character '1' after object key"),
    (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
    (b"[1 2]", "invalid character '2' after array element"),
    (b"[1,]", "invalid character ']' looking for beginning of value"),
    (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
    (b'{"a":', "unexpected end of JSON input"),
    (b'{"a"', "unexpected end of JSON input"),
    (b"[1", "unexpected end of JSON input"),
    (b'"abc', "unexpected end of JSON input"),
    (b'"a\nb"', "invalid character '\\n' in string literal"),
    (b'"a\\xb"', "invalid character 'x' in string escape code"),
    (b'"\\', "invalid character ' ' in string escape code"),
    (b'"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
    (b'"\\u12', "invalid character ' ' in \\u hexadecimal character escape"),
    (b"nope", "invalid character 'o' in literal null (expecting 'u')"),
    (b"tru", "invalid character ' ' in literal true (expecting 'e')"),
    (b"faLse", "invalid character 'L' in literal false (expecting 'l')"),
    (b"-", "invalid character ' ' in numeric literal"),
    (b"-a", "invalid character 'a' in numeric literal"),
    (b"1.", "invalid character ' ' after decimal point in numeric literal"),
    (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
    (b"1e", "invalid character ' ' in exponent of numeric literal"),
    (b"1.5e+x", "invalid character 'x' in exponent of numeric literal"),
    (b"+1", "invalid character '+' looking for beginning of value"),
    (b"NaN", "invalid character 'N' looking for beginning of value"),
    (b"[" * 10_001, "invalid character '[' exceeded max depth"),
    (b'{"a":' * 10_001, "invalid character '{' exceeded max depth"),
]


@pytest.mark.parametrize(("text", "error"), SYNTAX, ids=[repr(text[:12]) for text, _ in SYNTAX])
def test_syntax_errors_are_go_texts(text, error):
    with pytest.raises(JsonError) as raised:
        parse_json(text)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\ud800"', "\ufffd"),
        (b'"\\udc00\\ud800x"', "\ufffd\ufffdx"),
        (b'"\\u0000\\/\\b\\f\\n\\r\\t\\"\\\\"', '\0/\b\f\n\r\t"\\'),
        (b'"a\xffb\xe2\x82c"', "a\ufffdb\ufffd\ufffdc"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'"\x7f\xc2\x80"', "\x7f\x80"),
        (b" [ ] ", []),
        (b"-0.0e-7", NUMBER),
        (b"1e999999", NUMBER),
        (b'{"a":1,"a":null,"A":[true]}', JsonObject((("a", NUMBER), ("a", None), ("A", [True])))),
    ],
)
def test_values(text, value):
    """Invalid UTF-8 is one U+FFFD a byte, a lone surrogate one U+FFFD; numbers have no range; repeated names stay."""
    assert parse_json(text) == value


def test_a_value_as_deep_as_go_allows():
    assert parse_json(b"[" * 10_000 + b"]" * 10_000)


def _plain(value):
    if isinstance(value, JsonObject):
        return {name: _plain(member) for name, member in value.members}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return 0 if value is NUMBER else value


def test_what_python_writes_is_read_back():
    """Any valid document, however it is spaced and escaped, up to the depth that is kept."""
    chance = random.Random(7)

    def value(depth):
        kind = chance.randrange(7 if depth < 5 else 5)
        if kind == 5:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        if kind == 6:
            return {chance.choice('abc\u00e9"\\'): value(depth + 1) for _ in range(chance.randrange(4))}
        return [None, True, False, 0, "".join(chance.choice('a\u00e9\U0001f600\n"\\/\x7f') for _ in range(5))][kind]

    for _ in range(300):
        document = value(0)
        text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))
        assert _plain(parse_json(text.encode())) == document


@pytest.mark.parametrize(
    "body",
    [
        lambda size: b"[" * 9_999 + b"1" * size,
        lambda size: b"[" + b"1," * (size // 2),
        lambda size: b'"' + b"\\u0041" * (size // 6),
        lambda size: b'"' + b"\xff" * size + b'"',
        lambda size: b"[" * 6 + b'{"a":[' * (size // 6),
        lambda size: b'{"' + b"a" * size,
    ],
    ids=["number", "array", "escapes", "bytes", "nested", "name"],
)
def test_a_mebibyte_of_anything_is_linear(body):
    """Sixteen times the bytes take about sixteen times the time: no reader is quadratic."""

    def parse(size):
        data = body(size)
        with suppress(JsonError):
            parse_json(data)

    assert_linear(parse, 1 << 16, 1 << 20)


def test_names_fold_as_in_go():
    assert folded("ISSUER") == folded("i\u017f\u017fuer") == "issuer"
    assert folded("jw\u212as_uri") == "jwks_uri"
    assert folded("iss\u00fcer") != "issuer"
    assert folded("\u0130ssuer") != "issuer"


@pytest.mark.parametrize(("value", "kind"), [(True, "bool"), ("", "string"), (NUMBER, "number"), ([], "array")])
def test_kinds(value, kind):
    assert kind_of(value) == kind


def test_go_text():
    assert go_text(b"\xf0\x9f\x98") == "\ufffd\ufffd\ufffd"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("AQAB", b"\x01\x00\x01"),
        ("AQ", b"\x01"),
        ("AR", b"\x01"),
        ("A\r\nQAB\n", b"\x01\x00\x01"),
        ("", b""),
        ("\n", b""),
        ("AQ==", 2),
        ("A", 0),
        ("AQABA", 4),
        ("AQ+B", 2),
        ("AQ B", 2),
        ("\u00e9AQAB", 0),
        ("A\n", 1),
    ],
)
def test_raw_url_base64(text, result):
    """A number is the byte that Go names."""
    if isinstance(result, bytes):
        assert decode_raw_url(text) == result
        return
    with pytest.raises(Base64Error) as raised:
        decode_raw_url(text)
    assert str(raised.value) == f"illegal base64 data at input byte {result}"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("AQ==", b"\x01"),
        ("AQ=\n=\n", b"\x01"),
        ("AQA=", b"\x01\x00"),
        ("AQAB", b"\x01\x00\x01"),
        ("AQ", 0),
        ("AQ=", 3),
        ("AQ=A", 2),
        ("AQ==AQ==", 4),
        ("AQA=x", 4),
        ("A===", 1),
        ("AQ-B", 2),
    ],
)
def test_standard_base64(text, result):
    if isinstance(result, bytes):
        assert decode_standard(text) == result
        return
    with pytest.raises(Base64Error) as raised:
        decode_standard(text)
    assert str(raised.value) == f"illegal base64 data at input byte {result}"


@pytest.mark.parametrize(
    ("header", "result"),
    [
        ("application/json", "application/json"),
        ('Application/JSON ; charset="utf-8" ;', "application/json"),
        ("application/json;", "application/json"),
        ("application/json; a=b; A=b", "application/json"),
        ('application/json; q=""', "application/json"),
        ("application/json; a=b; a=c", None),
        ("application/json; charset", None),
        ('application/json; a="x', None),
        ("application/json/x", None),
        ("application json", None),
        ("", None),
        ("json", "json"),
    ],
)
def test_media_types(header, result):
    assert media_type(header) == result

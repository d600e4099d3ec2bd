//! As much of DER (X.690) as it takes to find when a certificate is valid.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT Version` of a certificate; absent in version 1.
const VERSION: u8 = 0xa0;

/// `notBefore` and `notAfter` of an X.509 certificate (RFC 5280 section 4.1.2.5), or what is wrong with it.
pub(super) fn validity(certificate: &[u8]) -> Result<(Timestamp, Timestamp), String> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (tbs, _) = expect(certificate, SEQUENCE)?;
    let rest = match element(tbs)? {
        (VERSION, _, rest) => rest,
        _ => tbs,
    };
    // serialNumber, signature, issuer
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (tag, text, rest) = element(validity)?;
    let not_before = time(tag, text)?;
    let (tag, text, _) = element(rest)?;
    Ok((not_before, time(tag, text)?))
}

/// Content of the first element, which must have `tag`, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), String> {
    match element(bytes)? {
        (found, content, rest) if found == tag => Ok((content, rest)),
        (found, ..) => Err(format!("expected tag {tag:#04x}, found {found:#04x}")),
    }
}

/// Tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), String> {
    let short = || "it ends too early".to_owned();
    let (&tag, rest) = bytes.split_first().ok_or_else(short)?;
    let (&first, mut rest) = rest.split_first().ok_or_else(short)?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let size = usize::from(first & 0x7f);
        if size == 0 || size > 4 || rest.len() < size {
            return Err("a length is malformed".into());
        }
        let (digits, after) = rest.split_at(size);
        length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        rest = after;
    }
    if rest.len() < length {
        return Err(short());
    }
    let (content, rest) = rest.split_at(length);
    Ok((tag, content, rest))
}

/// A time in one of the two forms that RFC 5280 allows: `YYMMDDHHMMSSZ` (1950 to 2049) and `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Result<Timestamp, String> {
    let wrong = || format!("{:?} is not a time", String::from_utf8_lossy(text));
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit)).ok_or_else(wrong)?;
    let year_digits = match (tag, digits.len()) {
        (UTC_TIME, 12) => 2,
        (GENERALIZED_TIME, 14) => 4,
        _ => return Err(wrong()),
    };
    let number = |digits: &[u8]| digits.iter().fold(0i16, |sum, digit| sum * 10 + i16::from(digit - b'0'));
    let (year, rest) = digits.split_at(year_digits);
    let year = match (tag, number(year)) {
        (UTC_TIME, year) if year >= 50 => 1900 + year,
        (UTC_TIME, year) => 2000 + year,
        (_, year) => year,
    };
    // Two digits each, so all of them fit.
    let part = |index: usize| number(&rest[2 * index..2 * index + 2]) as i8;
    DateTime::new(year, part(0), part(1), part(2), part(3), part(4), 0)
        .and_then(|civil| Offset::UTC.to_timestamp(civil))
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_forms() {
        assert_eq!(time(UTC_TIME, b"261122140500Z").unwrap().to_string(), "2026-11-22T14:05:00Z");
        assert_eq!(time(UTC_TIME, b"491231235959Z").unwrap().to_string(), "2049-12-31T23:59:59Z");
        assert_eq!(time(UTC_TIME, b"500101000000Z").unwrap().to_string(), "1950-01-01T00:00:00Z");
        assert_eq!(time(GENERALIZED_TIME, b"20500101000000Z").unwrap().to_string(), "2050-01-01T00:00:00Z");
        for (tag, text) in
            [(UTC_TIME, "261322140500Z"), (UTC_TIME, "261122140500"), (GENERALIZED_TIME, "261122140500Z"), (2, "1Z")]
        {
            time(tag, text.as_bytes()).unwrap_err();
        }
    }

    #[test]
    fn what_is_not_a_certificate_is_an_error() {
        for bytes in
            [&b""[..], b"\x30", b"\x30\x80", b"\x30\x05\x30\x03\x02\x01\x01", b"\x30\x85\x01\x01\x01\x01\x01", b"\x02\x01\x00"]
        {
            validity(bytes).unwrap_err();
        }
    }
}

//! Which messages are samples, and what becomes of them?

use std::string::String;

use super::*;
use crate::random::Random;

/// The MQTT payload that a Redis message becomes.
fn forwarded(message: &str) -> Result<String, Rejection> {
    let sample = Sample::parse(message.as_bytes())?;
    let mut payload = std::vec![0; crate::payload::len(MAX_TEXT)];
    let mut text = [0; MAX_TEXT];
    let text = sample.text(&mut text);
    let len = crate::payload::len(text.len());
    crate::payload::write(&mut payload[..len], sample.quality, |room| {
        room.copy_from_slice(text);
    });
    payload.truncate(len);
    Ok(String::from_utf8(payload).expect("a payload is ASCII"))
}

#[test]
fn value_and_timestamp_pass_byte_for_byte() {
    for value in [
        "0",
        "-0",
        "+7",
        "12",
        "12.5",
        "-12.50",
        ".5",
        "12.",
        "1e5",
        "1E+05",
        "-1.7976931348623157e+308",
        "0.10000000000000001",
        "nan",
        "NaN",
        "-nan",
        "+NAN",
        "00012",
    ] {
        let message = std::format!("{value},1708000203824,");
        assert_eq!(
            forwarded(&message).as_deref(),
            Ok(std::format!("{value},1708000203824,1").as_str())
        );
    }
}

#[test]
fn quality_is_bad_for_iv_nt_and_ov_in_any_case_among_any_tokens() {
    for (flags, quality) in [
        ("", 1),
        ("IV", 0),
        ("iv", 0),
        ("Nt", 0),
        ("OV", 0),
        ("SB", 1),
        ("BL,SB", 1),
        ("SB,IV", 0),
        ("SB|nt|BL", 0),
        ("cot=3", 1),
        ("cot=3 iv", 0),
        ("cot=IV", 0),
        ("7", 1),
        ("1234567890", 1),
        ("12345678901_", 1),
        ("12345678901x,IV", 0),
        ("cot=12345678901", 1),
        ("IV,1708000203824", 0),
        ("IVX", 1),
        ("XIV", 1),
        ("IV_", 1),
        ("_IV", 1),
        ("IV1", 1),
        ("I V", 1),
        ("[OV]", 0),
        ("\u{e4}IV\u{e4}", 0),
        (" IV ", 0),
    ] {
        assert_eq!(
            forwarded(&std::format!("1,2,{flags}")),
            Ok(std::format!("1,2,{quality}")),
            "flags {flags:?}"
        );
    }
}

#[test]
fn flags_may_be_left_out_and_spaces_around_fields_are_dropped() {
    for message in [
        "12.5,1708000203824",
        "12.5,1708000203824,",
        " 12.5 , 1708000203824 , ",
        "  12.5,1708000203824  ",
    ] {
        assert_eq!(
            forwarded(message).as_deref(),
            Ok("12.5,1708000203824,1"),
            "{message:?}"
        );
    }
}

#[test]
fn anything_else_is_rejected_with_its_reason() {
    let long_value = "1".repeat(126);
    for (message, reason) in [
        ("", Rejection::EmptyValue),
        (",1708000203824,", Rejection::EmptyValue),
        ("  ,1708000203824,", Rejection::EmptyValue),
        ("inf,1,", Rejection::BadValue),
        ("-inf,1,", Rejection::BadValue),
        ("on,1,", Rejection::BadValue),
        ("1 2,1,", Rejection::BadValue),
        ("--1,1,", Rejection::BadValue),
        ("1e,1,", Rejection::BadValue),
        ("e5,1,", Rejection::BadValue),
        (".,1,", Rejection::BadValue),
        ("0x10,1,", Rejection::BadValue),
        ("1.2.3,1,", Rejection::BadValue),
        ("nane5,1,", Rejection::BadValue),
        ("\u{663},1,", Rejection::BadValue),
        ("1", Rejection::NoTimestamp),
        ("1,", Rejection::NoTimestamp),
        ("1,,IV", Rejection::NoTimestamp),
        ("1,-5,", Rejection::BadTimestamp),
        ("1,+5,", Rejection::BadTimestamp),
        ("1,1.5,", Rejection::BadTimestamp),
        ("1,now,", Rejection::BadTimestamp),
        ("1,18446744073709551616,", Rejection::BadTimestamp),
        ("12,5,1708000203824,", Rejection::DecimalComma),
        ("-0,5,1708000203824", Rejection::DecimalComma),
        ("12,5, 1708000203824 ,IV", Rejection::DecimalComma),
        ("12 , 50,1708000203824|IV", Rejection::DecimalComma),
        ("0,10000000000000001,12345678901", Rejection::DecimalComma),
        ("12,5,1708000203824\n", Rejection::ControlByte),
        ("1,2,\n", Rejection::ControlByte),
        ("1\0,2,", Rejection::ControlByte),
        ("1\t,2,", Rejection::ControlByte),
        ("1,2,\x7f", Rejection::ControlByte),
        (std::format!("{long_value},12").as_str(), Rejection::TooLong),
    ] {
        assert_eq!(forwarded(message), Err(reason), "{message:?}");
    }
    assert!(
        forwarded(&std::format!("{long_value},1"))
            .is_ok_and(|payload| payload.len() == crate::payload::len(MAX_TEXT))
    );
    assert_eq!(
        forwarded("1,18446744073709551615").as_deref(),
        Ok("1,18446744073709551615,1")
    );
}

#[test]
fn the_plain_way_reads_what_the_rules_read_and_nothing_else() {
    // Changed in every place to every character that means something, and to some that do not.
    let mut plain = 0;
    for message in [
        "12.5,1708000203824,",
        "-0.10000000000000001,1708000203824,IV",
        "7,1708000203824",
        "12345678,1708000203824,iv",
        "1234567.,1708000203824,",
        "123456789012345678901234567890,9999999999999,",
    ] {
        for place in 0..message.len() {
            for byte in *b"0159.-+,eEnNaA IVivx:/\x00\x7f\xb0\xff" {
                let mut bytes = message.as_bytes().to_vec();
                bytes[place] = byte;
                for len in [bytes.len(), place + 1, place] {
                    let bytes = &bytes[..len];
                    if let Some(sample) = plain::read(bytes) {
                        plain += 1;
                        let text = bytes.escape_ascii();
                        assert_eq!(grammar::read(bytes), Ok(sample), "{text}");
                    }
                }
            }
        }
    }
    assert!(plain > 500, "only {plain} went the plain way");
}

#[test]
fn the_plain_way_reads_generated_samples_as_the_grammar_does_and_changed_ones_too() {
    const SOME: &[u8] = b"0123456789.,-+eE nvNVI\x00\xb9";
    let mut plain = 0;
    for seed in 1..=20_000 {
        let mut random = Random::new(seed);
        let mut digits = |most| {
            (0..=random.below(most))
                .map(|_| char::from(b'0' + random.below(10) as u8))
                .collect::<String>()
        };
        let (whole, fraction) = (digits(20), digits(20));
        let timestamp = std::format!("17{}", digits(12));
        let sign = ["", "-", "+"][usize::from(random.below(3))];
        let fraction =
            [std::format!(".{fraction}"), String::new()][usize::from(random.below(2))].clone();
        let flags = ["", ",", ",iv", ",IV", ",ov", ",cot=3"][usize::from(random.below(6))];
        let mut message = std::format!("{sign}{whole}{fraction},{timestamp}{flags}").into_bytes();
        for _ in 0..4 {
            if let Some(sample) = plain::read(&message) {
                plain += 1;
                assert_eq!(
                    grammar::read(&message),
                    Ok(sample),
                    "seed {seed}: {}",
                    message.escape_ascii()
                );
            }
            let place = usize::from(random.below(message.len() as u16));
            let byte = SOME[usize::from(random.below(SOME.len() as u16))];
            match random.below(4) {
                0 => message.insert(place, byte),
                1 if message.len() > 1 => drop(message.remove(place)),
                _ => message[place] = byte,
            }
        }
    }
    assert!(plain > 1000, "only {plain} went the plain way");
}

#[test]
fn no_sequence_of_up_to_four_grammar_bytes_panics_and_every_accepted_value_is_a_number() {
    const ALPHABET: &[u8] = b"1.eE+-nNa, \x00\xff";
    let mut message = std::vec![0u8; 4];
    for code in 0..ALPHABET.len().pow(4) {
        let mut rest = code;
        for byte in &mut message {
            *byte = ALPHABET[rest % ALPHABET.len()];
            rest /= ALPHABET.len();
        }
        let text = [message.as_slice(), b",7"].concat();
        if let Ok(sample) = Sample::parse(&text) {
            let value = core::str::from_utf8(sample.value).expect("accepted values are ASCII");
            assert!(value.parse::<f64>().is_ok(), "{value:?}");
        }
    }
}

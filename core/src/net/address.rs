//! How is an IP address written? As the standard library writes it, which can also pad it to a width, and for that holds panics that no
//! optimiser removes.

use core::fmt::{self, Display, Formatter};
use core::net::{IpAddr, Ipv4Addr};
use core::ops::Range;

/// An address in the log.
pub(super) struct Address(pub IpAddr);

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => show_v4(address, f),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => {
                    f.write_str("::ffff:")?;
                    show_v4(mapped, f)
                }
                None => show_v6(address.segments(), f),
            },
        }
    }
}

fn show_v4(address: Ipv4Addr, f: &mut Formatter<'_>) -> fmt::Result {
    let [a, b, c, d] = address.octets();
    write!(f, "{a}.{b}.{c}.{d}")
}

/// The canonical form: the longest run of zeros is left out (RFC 5952, 4.2).
fn show_v6(segments: [u16; 8], f: &mut Formatter<'_>) -> fmt::Result {
    let zeros = longest_zeros(&segments);
    for (place, segment) in segments.iter().enumerate() {
        if zeros.contains(&place) {
            if place == zeros.start {
                f.write_str("::")?;
            }
            continue;
        }
        if place > 0 && place != zeros.end {
            f.write_str(":")?;
        }
        write!(f, "{segment:x}")?;
    }
    Ok(())
}

/// The first of the longest runs of two or more zeros; empty, behind the end, if there is none.
fn longest_zeros(segments: &[u16; 8]) -> Range<usize> {
    let mut longest = 8..8;
    let mut start = 0;
    for (place, segment) in segments.iter().enumerate() {
        if *segment != 0 {
            start = place + 1;
        } else if place + 1 - start > longest.len().max(1) {
            longest = start..place + 1;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;
    use std::string::ToString;

    #[test]
    fn every_pattern_of_zeros_is_written_as_the_standard_library_writes_it() {
        for pattern in 0..256_u32 {
            for value in [1, 0xa0, 0xffff] {
                let segment = |place: u32| if pattern >> place & 1 == 0 { 0 } else { value };
                let address = Ipv6Addr::from([0, 1, 2, 3, 4, 5, 6, 7].map(segment));
                assert_eq!(Address(address.into()).to_string(), address.to_string());
            }
        }
    }

    #[test]
    fn addresses_of_ipv4_are_written_with_points() {
        for text in [
            "0.0.0.0",
            "192.168.0.17",
            "255.255.255.255",
            "::ffff:10.0.0.1",
        ] {
            let address: IpAddr = text.parse().expect("an address");
            assert_eq!(Address(address).to_string(), text);
        }
    }
}

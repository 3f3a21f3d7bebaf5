//! What is a board's Ethernet address, if nobody gave it one? Made of the chip's unique number, so that it is always the same, and another board's is not.

/// An address of the kind that anybody may give out (locally administered, IEEE 802c): the second bit of its first byte says so.
#[must_use]
pub fn from_unique_number(number: &[u8]) -> [u8; 6] {
    let [.., a, b, c, d, e] = hash(number).to_be_bytes();
    [0x02, a, b, c, d, e]
}

/// The digits of a generated `client_id`.
#[must_use]
pub fn digits_of_unique_number(number: &[u8]) -> u32 {
    let [a, b, c, d, ..] = hash(number).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// FNV-1a, 64 bits: chips of one wafer differ in few bits, and every bit of the address has to depend on all of them.
fn hash(number: &[u8]) -> u64 {
    number.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_address_is_one_hosts_and_given_out_locally() {
        for number in 0..1000_u32 {
            let [first, ..] = from_unique_number(&number.to_le_bytes());
            assert_eq!(first & 0b11, 0b10);
        }
    }

    #[test]
    fn neighbours_on_a_wafer_have_different_addresses_and_digits() {
        let numbers = || {
            (0..100_u8)
                .flat_map(|x| (0..100_u8).map(move |y| [x, 0, y, 0, 7, b'Q', 49, 53, 50, 56]))
        };
        let addresses: HashSet<_> = numbers().map(|n| from_unique_number(&n)).collect();
        let digits: HashSet<_> = numbers().map(|n| digits_of_unique_number(&n)).collect();
        assert_eq!((addresses.len(), digits.len()), (10_000, 10_000));
    }

    #[test]
    fn an_address_stays_the_same_from_one_release_to_the_next() {
        assert_eq!(
            from_unique_number(b"123456789012"),
            [0x02, 0x45, 0x08, 0xe4, 0x71, 0x47]
        );
    }
}

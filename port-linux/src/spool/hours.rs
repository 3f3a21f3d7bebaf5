//! For how long does a spool last? An estimate, from what samples take on storage: the figures of docs/architecture.md, with values of 17 digits.

use std::fmt;

use mqtt_client_core::config::{Device, Rows};
use mqtt_client_core::spool::BLOCK;

/// Bytes of a block's and of a segment's head; all begins at a multiple of it.
const HEAD: u64 = 32;

/// Of the first timestamp and the first second of a block, which are whole.
const FIRST: u64 = 10;
/// Of a sample, if its signal is one of the first 32 of its device: more take one byte more.
const SAMPLE: u64 = 10;
/// Of each second in which there was one.
const SECOND: u64 = 2;
/// Of a signal's name, beside its characters.
const NAME: u64 = 3;

/// What a device's spool is asked to hold.
pub struct Load {
    spool_size: u64,
    /// Seconds after which what waits is written: as a block, however few there are.
    flush_interval: u64,
    signals: u64,
    /// Bytes of all their names in a block.
    names: u64,
}

impl Load {
    /// Of this device, with its number among [`Rows::devices`].
    pub fn of(rows: &Rows<'_>, number: u16, device: &Device<'_>) -> Load {
        let enabled = rows.signals().filter(|(_, is_enabled)| *is_enabled);
        let own = enabled.filter(|(signal, _)| signal.device == number);
        let names = own.map(|(signal, _)| NAME + signal.alias.len() as u64);
        let (signals, names) = names.fold((0, 0), |(count, sum), name| (count + 1, sum + name));
        Load {
            spool_size: device.spool_size,
            flush_interval: rows.spool.flush_interval.into(),
            signals,
            names,
        }
    }

    /// How long that is if so many samples come in a second, in turn from all signals.
    pub fn lasts(&self, per_second: u64) -> Hours {
        let mut samples = per_second * self.flush_interval;
        let mut block = self.block(samples, per_second);
        while block > BLOCK as u64 && samples > 1 {
            samples = samples * BLOCK as u64 / block;
            block = self.block(samples, per_second);
        }
        let blocks = self.spool_size / block.next_multiple_of(HEAD);
        Hours(blocks * samples / per_second)
    }

    /// Bytes of a block of so many samples.
    fn block(&self, samples: u64, per_second: u64) -> u64 {
        let named = samples.min(self.signals);
        let names = self.names * named / self.signals.max(1);
        let sample = SAMPLE + u64::from(self.signals > 32);
        HEAD + FIRST + names + samples * sample + samples.div_ceil(per_second) * SECOND
    }
}

/// A time in seconds, shown in hours, or in minutes where it is less than one.
pub struct Hours(u64);

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0 / 360;
        let (whole, tenth) = (tenths / 10, tenths % 10);
        match whole {
            0 => write!(f, "{} min", self.0 / 60),
            100.. => write!(f, "{whole} h"),
            _ => write!(f, "{whole}.{tenth} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use embedded_nal::nb;
    use mqtt_client_core::sample::{Quality, Sample};
    use mqtt_client_core::spool::{Buffers, Fault, Log, NAMES, Numbered, Storage};
    use mqtt_client_core::time::Instant;

    use super::*;

    /// Storage that counts what is written, and forgets it.
    #[derive(Default)]
    struct Counting(u64);

    impl Storage for Counting {
        fn segment_len(&self) -> u32 {
            1 << 20
        }

        fn has_room(&mut self) -> bool {
            true
        }

        fn next_segment(&mut self, _: Option<u32>) -> nb::Result<Option<u32>, Fault> {
            Ok(None)
        }

        fn read(&mut self, _: u32, _: u32, _: &mut [u8]) -> nb::Result<usize, Fault> {
            Ok(0)
        }

        fn append(&mut self, _: u32, _: u32, bytes: &[u8]) -> nb::Result<(), Fault> {
            self.0 += bytes.len() as u64;
            Ok(())
        }

        fn erase(&mut self, _: u32) -> nb::Result<(), Fault> {
            Ok(())
        }

        fn sync(&mut self) -> nb::Result<(), Fault> {
            Ok(())
        }
    }

    /// Bytes that the log writes for so many samples of so many signals in turn.
    fn written(samples: u64, per_second: u64, signals: u32, flush_interval: u64) -> u64 {
        let mut storage = Counting::default();
        let (mut blocks, mut window) = (vec![[0; BLOCK]; 2], [0; BLOCK]);
        let (mut places, mut names) = ([0; NAMES], [0; NAMES]);
        let mut log = Log::new(Buffers {
            blocks: &mut blocks,
            window: &mut window,
            places: &mut places,
            names: &mut names,
        });
        let _ = log.poll(Instant::default(), &mut storage);
        for number in 0..samples {
            let signal = (number % u64::from(signals)) as u32;
            let millis = number * 1000 / per_second;
            let text = format!("5.9589999999999996,{}", 1_708_000_203_824 + millis);
            let name = format!("signal_{signal:04}");
            let sample = Numbered {
                number: log.end(),
                signal,
                name: name.as_bytes(),
                second: 1_708_000_203 + millis / 1000,
                sample: Sample::of_text(text.as_bytes(), Quality::Good).unwrap(),
            };
            if !log.push(&sample) {
                let _ = log.poll(Instant::default(), &mut storage);
                assert!(log.push(&sample));
            }
            if (number + 1) % (per_second * flush_interval) == 0 {
                log.flush();
                let _ = log.poll(Instant::default(), &mut storage);
            }
        }
        storage.0
    }

    #[test]
    fn the_estimate_is_what_the_log_writes() {
        for (signals, flush_interval) in [(1, 10), (10, 10), (10, 1), (10, 600), (300, 10)] {
            let load = Load {
                spool_size: 1 << 24,
                flush_interval,
                signals: signals.into(),
                names: u64::from(signals) * (NAME + 11),
            };
            for per_second in [1, 10, 100] {
                let in_an_interval = per_second * flush_interval;
                let samples = (20_000 / in_an_interval).max(3) * in_an_interval;
                let written = written(samples, per_second, signals, flush_interval);
                let measured = load.spool_size * samples / written / per_second;
                let estimate = load.lasts(per_second).0;
                println!(
                    "{signals} signals, {per_second}/s, every {flush_interval} s: {:.1} bytes a sample, {measured} s, estimate {estimate} s",
                    written as f64 / samples as f64
                );
                assert!(
                    estimate.abs_diff(measured) <= measured / 10,
                    "{signals} signals, {per_second}/s: {estimate} s, measured {measured} s"
                );
            }
        }
    }

    #[test]
    fn hours_have_a_decimal_where_they_are_few() {
        for (seconds, shown) in [
            (0, "0 min"),
            (3599, "59 min"),
            (5400, "1.5 h"),
            (359_999, "99.9 h"),
            (360_000, "100 h"),
        ] {
            assert_eq!(Hours(seconds).to_string(), shown);
        }
    }
}

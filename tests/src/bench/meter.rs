//! What has a process used? Its accounts in `/proc`, all threads together.

use std::fs;
use std::io;
use std::path::Path;

/// In KiB; file pages that it shares with others count in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub resident: u64,
    pub peak: u64,
    /// Address space of heap and data, used or not.
    pub data: u64,
}

/// Time of process `id` on a processor so far, in nanoseconds, in the program and in the kernel on its behalf. Threads that
/// have ended do not count.
///
/// # Errors
///
/// There is no such process (any more).
pub fn cpu_ns(id: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        // The scheduler's own account: exact, where `stat` counts ticks of 10 ms.
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += first_number(&text, "schedstat")?;
    }
    Ok(sum)
}

/// The memory of process `id`.
///
/// # Errors
///
/// There is no such process (any more).
pub fn memory(id: u32) -> io::Result<Memory> {
    let process = format!("/proc/{id}");
    let process = Path::new(&process);
    Ok(Memory {
        resident: status(process, "VmRSS:")?,
        peak: status(process, "VmHWM:")?,
        data: status(process, "VmData:")?,
    })
}

fn status(process: &Path, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(process.join("status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    first_number(line.unwrap_or_default(), name)
}

fn first_number(text: &str, name: &str) -> io::Result<u64> {
    let word = text.split_whitespace().next();
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no number in {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_show() {
        let id = std::process::id();
        let before = cpu_ns(id).expect("our own process");
        let work = vec![1_u8; 32 << 20];
        assert_eq!(
            work.iter().map(|byte| u64::from(*byte)).sum::<u64>(),
            32 << 20
        );
        let memory = memory(id).expect("our own process");
        assert!(cpu_ns(id).expect("our own process") > before);
        assert!(
            memory.resident > 32 << 10 && memory.peak >= memory.resident,
            "{memory:?}"
        );
    }
}

//! A log over real files: what is written survives, a second process is kept out, and what is not ours is not touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::spool::{Buffers, Event, Log, NAMES, Numbered};
use mqtt_client_core::time::Instant;

use super::file_system::FileSystem;
use super::*;
use crate::poller::Events;
use crate::testing::LIMIT;

/// A folder of its own that is removed at the end.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spool-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    pub fn folder(&self) -> PathBuf {
        self.0.join("cloud")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The next, once the thread of a log before has let go of the folder.
pub fn with_log(folder: &Path, script: impl FnOnce(&mut Log<'_>, &mut dyn FnMut(&mut Log<'_>))) {
    let begun = std::time::Instant::now();
    let mut script = Some(script);
    while let Some(next) = script.take() {
        with_log_at_once(folder, |log, settle| {
            if log.fault() == Some(Fault::InUse) {
                script = Some(next);
            } else {
                next(log, settle);
            }
        });
        assert!(begun.elapsed() < LIMIT);
    }
}

/// Does with a log over this folder what `script` says, polling whenever the thread has an answer.
fn with_log_at_once(
    folder: &Path,
    script: impl FnOnce(&mut Log<'_>, &mut dyn FnMut(&mut Log<'_>)),
) {
    let poller = Arc::new(Poller::new().unwrap());
    let path = folder.parent().unwrap().to_str().unwrap();
    let alias = folder.file_name().unwrap().to_str().unwrap();
    let mut files = Files::new(path, alias, poller.clone());
    files.resize(1 << 20);
    let (mut blocks, mut window) = (vec![[0; BLOCK]; 2], [0; BLOCK]);
    let (mut places, mut names) = ([0; NAMES], [0; NAMES]);
    let mut log = Log::new(Buffers {
        blocks: &mut blocks,
        window: &mut window,
        places: &mut places,
        names: &mut names,
    });
    let mut settle = |log: &mut Log<'_>| {
        let _ = log.poll(Instant::default(), &mut files);
        let begun = std::time::Instant::now();
        while log.is_waiting() {
            poller.wait(&mut Events::new(), Some(LIMIT)).unwrap();
            let _ = log.poll(Instant::default(), &mut files);
            assert!(begun.elapsed() < LIMIT);
        }
    };
    settle(&mut log);
    script(&mut log, &mut settle);
}

fn push(log: &mut Log<'_>, value: u32) -> bool {
    let text = format!("{value},{value}");
    log.push(&Numbered {
        number: log.end(),
        signal: 0,
        name: b"p",
        second: 1,
        sample: Sample::of_text(text.as_bytes(), Quality::Good).unwrap(),
    })
}

fn read_all(log: &mut Log<'_>, settle: &mut dyn FnMut(&mut Log<'_>)) -> Vec<u32> {
    let mut values = Vec::new();
    while log.next_number() < log.end() {
        match log.next_sample(&mut |_| Some(0)) {
            Some(next) => {
                let value = str::from_utf8(next.sample.value).unwrap();
                values.push(value.parse().unwrap());
                log.take();
            }
            None => settle(log),
        }
    }
    values
}

pub fn fill(folder: &Path, values: std::ops::Range<u32>) {
    with_log(folder, |log, settle| {
        for value in values {
            while !push(log, value) {
                settle(log);
            }
        }
        log.flush();
        settle(log);
        assert!(!log.is_flushing());
    });
}

#[test]
fn what_is_flushed_is_there_for_the_next_process_and_only_for_our_user() {
    let place = Place::new("kept");
    let folder = place.folder();
    fill(&folder, 0..10_000);
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 1);
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    with_log(&folder, |log, settle| {
        assert!(read_all(log, settle).into_iter().eq(0..10_000));
        log.done(log.next_number());
        log.flush();
        settle(log);
    });
    with_log(&folder, |log, _| assert_eq!(log.next_number(), log.end()));
    let left: u64 = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().size())
        .sum();
    assert!(left <= 16 * 1024, "{left} bytes");
}

#[test]
fn a_second_process_is_kept_out_until_the_first_is_gone() {
    let place = Place::new("lock");
    let folder = place.folder();
    with_log(&folder, |_, _| {
        with_log_at_once(&folder, |log, _| {
            assert_eq!(log.fault(), Some(Fault::InUse));
        });
    });
    with_log(&folder, |log, _| assert_eq!(log.fault(), None));
}

#[test]
fn what_is_missing_or_no_folder_of_ours_is_not_used() {
    let place = Place::new("odd");
    let missing = place.0.join("none/none/cloud");
    with_log(&missing, |log, _| {
        assert_eq!(log.fault(), Some(Fault::Missing))
    });
    let linked = place.0.join("linked");
    symlink(&place.0, &linked).unwrap();
    with_log(&linked.join("cloud"), |log, _| {
        assert!(log.fault().is_some(), "nor is one above it");
    });
    assert!(!place.folder().exists());
    let real = place.0.join("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, place.folder()).unwrap();
    with_log(&place.folder(), |log, _| {
        assert!(log.fault().is_some(), "a symbolic link is not followed");
    });
    fs::remove_file(place.folder()).unwrap();
    fs::write(place.folder(), "a file").unwrap();
    with_log(&place.folder(), |log, _| {
        assert_eq!(log.fault(), Some(Fault::Missing))
    });
}

#[test]
fn a_folder_that_others_may_enter_is_closed_to_them_and_odd_files_are_left_alone() {
    let place = Place::new("modes");
    let folder = place.folder();
    fill(&folder, 0..100);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let secret = place.0.join("secret");
    fs::write(&secret, "not to be touched").unwrap();
    symlink(&secret, folder.join("00000007.spool")).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let mut other = [0; 64];
    other[..4].copy_from_slice(b"mqS9");
    fs::write(folder.join("00000009.spool"), other).unwrap();
    with_log(&folder, |log, settle| {
        assert_eq!(read_all(log, settle), (0..100).collect::<Vec<_>>());
        assert!(
            log.poll_event()
                .is_some_and(|event| matches!(event, Event::Opened { .. }))
        );
    });
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert_eq!(fs::read_to_string(secret).unwrap(), "not to be touched");
    assert_eq!(fs::read(folder.join("00000009.unknown")).unwrap(), other);
}

#[test]
fn the_folder_of_all_spools_is_made_where_only_itself_is_missing() {
    let place = Place::new("made");
    let folder = place.0.join("spools/cloud");
    with_log(&folder, |_, _| ());
    let may_be_made = FileSystem::of(&place.0).is_some_and(|place| !place.may_be_the_roots());
    assert_eq!(folder.exists(), may_be_made);
}

#[test]
fn segments_are_of_a_sensible_size_for_every_spool() {
    for (spool_size, len) in [
        (65_536, 16_384),
        (1 << 20, 16_384),
        (16 << 20, 262_144),
        (1 << 30, 1 << 20),
        (1 << 40, 1 << 30),
    ] {
        assert_eq!(segment_len(spool_size, u64::MAX), len, "{spool_size}");
    }
}

//! Is the folder of the spools fit for them? What is said at each start, and by `--check`.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mqtt_client_core::config::Rows;
use rustix::fs::{Access, access, statvfs};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::file_system::{FileSystem, parent};
use crate::modes::others_may_replace;
use crate::rights;

/// Whoever owns it.
const READ_ONLY: &str = " is on a file system that is mounted read-only";

/// What making a folder in another takes.
const MAY_WRITE: Access = Access::WRITE_OK.union(Access::EXEC_OK);

/// Warns of where the spools of enabled devices are to lie.
pub fn warn(table: &Path, rows: &Rows<'_>) {
    let enabled = rows.devices().filter(|(_, is_enabled)| *is_enabled);
    let devices = enabled.map(|(device, _)| (device.alias, device.spool_size));
    let spools = devices.filter(|(_, size)| *size > 0).collect::<Vec<_>>();
    if let Some(path) = rows.spool.path
        && !spools.is_empty()
    {
        let table = table.display();
        each(Path::new(path), &spools, &mut |problem| {
            log::warn!("{table}: spool.path: {path}{problem}");
        });
    }
}

fn each(path: &Path, spools: &[(&str, u64)], report: &mut dyn FnMut(String)) {
    if path.is_relative() {
        report(
            " is no absolute path: it counts from the folder in which the daemon is started".into(),
        );
    }
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            missing(path, report);
            return;
        }
        Err(error) => {
            let remedy = rights::remedy(path, &error);
            report(format!(": {error}{remedy}"));
            return;
        }
    };
    let user = geteuid().as_raw();
    if let Some(problem) = no_folder_of(&metadata, &[user, 0]) {
        report(problem);
        return;
    }
    match access(path, MAY_WRITE) {
        Ok(()) => {}
        Err(Errno::ROFS) => report(READ_ONLY.into()),
        Err(_) => {
            let path = path.display();
            report(format!(
                " may not be written to by the user with the id {user}; as root: chown {user} {path}"
            ));
        }
    }
    if others_may_replace(&metadata) {
        report(": everybody may replace what lies in it: chmod o-w".into());
    }
    if let Some(place) = FileSystem::of(path) {
        lies_on(place, report);
    }
    let wanted = spools.iter().map(|(_, size)| size).sum::<u64>();
    let total = statvfs(path).map_or(u64::MAX, |stat| stat.f_blocks.saturating_mul(stat.f_frsize));
    if wanted > total {
        let (wanted, total) = (wanted >> 10, total >> 10);
        report(format!(
            " has {total} KiB in all, and the spools of all devices may take {wanted} KiB"
        ));
    }
    for (alias, _) in spools {
        if let Ok(metadata) = fs::symlink_metadata(path.join(alias))
            && let Some(problem) = no_folder_of(&metadata, &[user])
        {
            report(format!("/{alias}{problem}"));
        }
    }
}

/// The folder is not there: can it be made?
fn missing(path: &Path, report: &mut dyn FnMut(String)) {
    let parent = parent(path);
    match FileSystem::of(parent) {
        None => report(
            " is missing, and so is the folder that it is to be made in: samples wait in memory until both are there"
                .into(),
        ),
        Some(place) if place.may_be_the_roots() => report(format!(
            " is missing, and is not made on {}: is the card or the partition mounted?",
            place.name()
        )),
        Some(_) if access(parent, MAY_WRITE) == Err(Errno::ROFS) => {
            report(format!(" is missing, and{READ_ONLY}"));
        }
        Some(_) if access(parent, MAY_WRITE).is_err() => {
            let (user, path) = (geteuid().as_raw(), path.display());
            report(format!(
                " is missing, and the user with the id {user} may not make it; as root: mkdir {path}; chown {user} {path}"
            ));
        }
        Some(place) => lies_on(place, report),
    }
}

fn lies_on(place: FileSystem, report: &mut dyn FnMut(String)) {
    let name = place.name();
    if place.may_be_the_roots() {
        report(format!(
            " lies on {name}: a power cut while a gateway's own flash is written to can leave it unable to start; take an SD card or a partition of its own"
        ));
    }
    if place == FileSystem::Memory {
        report(format!(
            " lies in memory ({name}): it survives a crash of the process, not of the power"
        ));
    }
}

/// What this is if it is no folder of one of these users.
fn no_folder_of(metadata: &Metadata, users: &[u32]) -> Option<String> {
    let owner = metadata.uid();
    if metadata.is_symlink() {
        Some(" is a symbolic link, which is not followed".into())
    } else if !metadata.is_dir() {
        Some(" is no folder".into())
    } else if !users.contains(&owner) {
        let user = geteuid().as_raw();
        Some(format!(
            " belongs to the user with the id {owner}, and not to {user}, who asks: it is not used"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::tests::Place;
    use super::*;

    fn problems(path: &Path, spools: &[(&str, u64)]) -> Vec<String> {
        let mut problems = Vec::new();
        each(path, spools, &mut |problem| problems.push(problem));
        // Where this test runs is not what it is about.
        let where_it_lies = |problem: &String| !problem.starts_with(" lies ");
        problems.into_iter().filter(where_it_lies).collect()
    }

    #[test]
    fn a_folder_of_ours_or_one_that_can_be_made_is_fit_for_two_devices() {
        let place = Place::new("fit");
        let spools = [("cloud", 1 << 20), ("control", 1 << 16)];
        assert_eq!(problems(&place.0, &spools), [""; 0]);
        fs::create_dir(place.folder()).unwrap();
        assert_eq!(problems(&place.0, &spools), [""; 0]);
        if !FileSystem::of(&place.0).unwrap().may_be_the_roots() {
            assert_eq!(problems(&place.0.join("spools"), &spools), [""; 0]);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let place = Place::new("unfit");
        let path = |name: &str| place.0.join(name);
        let spools = [("cloud", 1 << 20)];
        let only = |path: &Path| {
            let problems = problems(path, &spools);
            assert_eq!(problems.len(), 1, "{}: {problems:?}", path.display());
            problems.concat()
        };
        assert!(only(&path("none/spools")).starts_with(" is missing, and so is the folder"));
        symlink(&place.0, path("link")).unwrap();
        assert!(only(&path("link")).starts_with(" is a symbolic link"));
        fs::write(path("file"), "").unwrap();
        assert_eq!(only(&path("file")), " is no folder");
        fs::create_dir(path("open")).unwrap();
        fs::set_permissions(path("open"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(only(&path("open")).ends_with("chmod o-w"));
        if access("/proc/sys", MAY_WRITE) == Err(Errno::ROFS) {
            assert_eq!(only(Path::new("/proc/sys")), READ_ONLY);
        }
        let relative = problems(Path::new("none/spools"), &spools);
        assert!(
            relative[0].starts_with(" is no absolute path"),
            "{relative:?}"
        );
        symlink(&place.0, path("cloud")).unwrap();
        assert!(only(&place.0).starts_with("/cloud is a symbolic link"));
        fs::remove_file(path("cloud")).unwrap();
        let huge = problems(&place.0, &[("cloud", 1 << 40), ("control", 1 << 40)]);
        assert!(huge.concat().contains("KiB in all"), "{huge:?}");
    }

    #[test]
    fn a_place_that_is_none_for_a_spool_is_warned_of() {
        for (place, word) in [
            (FileSystem::Overlay, "overlayfs"),
            (FileSystem::Jffs2, "jffs2"),
            (FileSystem::Memory, "not of the power"),
        ] {
            let mut problems = Vec::new();
            lies_on(place, &mut |problem| problems.push(problem));
            assert_eq!(problems.len(), 1);
            assert!(problems[0].contains(word), "{problems:?}");
        }
        lies_on(FileSystem::Other, &mut |problem| panic!("{problem}"));
        let shared_memory = Path::new("/dev/shm");
        if shared_memory.is_dir() {
            assert_eq!(FileSystem::of(shared_memory), Some(FileSystem::Memory));
        }
    }
}

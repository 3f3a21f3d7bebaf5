//! Rights: what does the process give up for good, and what may it not read?

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getegid, geteuid, set_dumpable_behavior, setrlimit,
};
use rustix::thread::set_no_new_privs;

/// Call it before secrets are read: from here on no program that the process might be made to start has more rights than it, nobody but root
/// looks into its memory, and no core file holds it.
pub fn give_up_rights() {
    // A kernel that knows one of them not, or an emulator, leaves the process as it was.
    let _ = set_no_new_privs(true);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
}

/// What to do about an error of reading `path`: the commands, if it is our user that may not.
pub fn remedy(path: &Path, error: &io::Error) -> Remedy {
    let denied = error.kind() == ErrorKind::PermissionDenied && !geteuid().is_root();
    Remedy(denied.then(|| {
        // Whoever cannot search a folder cannot read what is in it.
        let folders = path.ancestors().skip(1);
        let closed = folders.filter(|folder| access(*folder, Access::EXEC_OK).is_err());
        match closed.last() {
            Some(folder) => (folder.into(), "x"),
            None => (path.into(), "r"),
        }
    }))
}

/// A part of a message, empty or `; as root: chgrp ...`.
pub struct Remedy(Option<(PathBuf, &'static str)>);

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((path, right)) = &self.0 else {
            return Ok(());
        };
        let (group, path) = (group_name(), path.display());
        write!(f, "; as root: chgrp {group} {path}; chmod g+{right} {path}")
    }
}

/// Our group, by name where it has one.
fn group_name() -> String {
    let id = getegid().to_string();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    name.unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};
    use rustix::thread::no_new_privs;

    use super::*;
    use crate::testing::alone;

    #[test]
    fn what_is_given_up_is_gone() {
        let status = alone("rights::tests::what_is_given_up_is_gone", || {
            give_up_rights();
            assert!(no_new_privs().unwrap());
            assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
            let core = getrlimit(Resource::Core);
            assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        });
        assert!(status.success());
    }

    #[test]
    fn only_a_denial_has_a_remedy() {
        let missing = remedy(Path::new("/nowhere"), &ErrorKind::NotFound.into());
        assert_eq!(missing.to_string(), "");
    }
}

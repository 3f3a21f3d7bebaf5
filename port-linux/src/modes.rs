//! File modes: may others read what is secret, or change what the daemon trusts?

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mqtt_client_core::config::{Auth, Authorities, Device, Redis, Rows};

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
/// In a folder with this bit (`/tmp`), a file is renamed and removed by its owner only.
const STICKY: u32 = 0o1000;

/// Warns of the table, of the keys that it names, and of the folders that they lie in.
pub fn warn(table: &Path, rows: &Rows<'_>) {
    let devices = rows.devices().collect::<Vec<_>>();
    each(table, &rows.redis, &devices, &mut |warning| {
        log::warn!("{warning}");
    });
}

fn each(
    table: &Path,
    redis: &Redis<'_>,
    devices: &[(&Device<'_>, bool)],
    report: &mut dyn FnMut(String),
) {
    let holds_secrets = (devices.iter())
        .map(|(device, _)| device.secrets())
        .chain([redis.secrets()])
        .any(|secrets| !secrets.is_empty());
    look_at(table, holds_secrets, "passwords stand in it", report);
    for (device, is_enabled) in devices {
        if let Auth::Tls(tls) = &device.auth
            && *is_enabled
        {
            if let Some(client) = tls.client {
                look_at(Path::new(client.key), true, "it is a key", report);
            }
            // Those of the system are the system's business.
            if let Authorities::File(path) = tls.ca_certificate {
                look_at(Path::new(path), false, "", report);
            }
        }
    }
}

/// Whether what lies in this folder may be renamed and removed by everybody.
pub fn others_may_replace(folder: &fs::Metadata) -> bool {
    folder.permissions().mode() & (OTHERS_WRITE | STICKY) == OTHERS_WRITE
}

/// What is no file, or not there, is others' business.
fn look_at(file: &Path, is_secret: bool, why: &str, report: &mut dyn FnMut(String)) {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |file| file.permissions().mode());
    if !file.is_file() {
        return;
    }
    let path = file.display();
    if is_secret && mode(file) & OTHERS_READ != 0 {
        report(format!(
            "{path}: everybody may read it, and {why}: chmod o= {path}"
        ));
    }
    if mode(file) & OTHERS_WRITE != 0 {
        report(format!(
            "{path}: everybody may write to it: chmod o-w {path}"
        ));
    }
    let real = file.canonicalize().unwrap_or_else(|_| file.into());
    if let Some(folder) = real.parent()
        && fs::metadata(folder).is_ok_and(|folder| others_may_replace(&folder))
    {
        let folder = folder.display();
        report(format!(
            "{path}: everybody may replace it: chmod o-w {folder}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use mqtt_client_core::config::{ClientFiles, Secret, Tls};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("modes-{}-{name}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, "").unwrap();
            set_mode(&path, mode);
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn warnings(table: &Path, devices: &[(&Device<'_>, bool)], redis: Redis<'_>) -> Vec<String> {
        let mut warnings = Vec::new();
        each(table, &redis, devices, &mut |warning| {
            warnings.push(warning)
        });
        warnings
    }

    const WITH_PASSWORD: Redis<'static> = Redis {
        endpoint: mqtt_client_core::config::Endpoint::Unix("/run/redis"),
        username: None,
        password: Some(Secret::new("secret")),
        database: 0,
    };

    #[test]
    fn a_table_that_others_may_read_or_write_is_warned_of_with_the_cure() {
        let folder = Folder::new("table");
        for (mode, redis, cures) in [
            (0o600, WITH_PASSWORD, &[][..]),
            (0o640, WITH_PASSWORD, &[]),
            (0o644, WITH_PASSWORD, &["chmod o= "]),
            (0o644, Redis::default(), &[]),
            (0o666, WITH_PASSWORD, &["chmod o= ", "chmod o-w "]),
            (0o602, Redis::default(), &["chmod o-w "]),
        ] {
            let table = folder.file("table", mode);
            let found = warnings(&table, &[], redis);
            assert_eq!(found.len(), cures.len(), "{mode:o}: {found:?}");
            for (warning, cure) in found.iter().zip(cures) {
                let end = format!("{cure}{}", table.display());
                assert!(warning.ends_with(&end), "{mode:o}: {warning}");
            }
        }
    }

    #[test]
    fn a_folder_in_which_others_may_replace_the_table_is_warned_of() {
        let folder = Folder::new("folder");
        let table = folder.file("table", 0o600);
        for (mode, count) in [(0o755, 0), (0o757, 1), (0o1777, 0)] {
            set_mode(&folder.0, mode);
            let found = warnings(&table, &[], Redis::default());
            assert_eq!(found.len(), count, "{mode:o}: {found:?}");
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_warned_of_for_enabled_devices() {
        let folder = Folder::new("key");
        let table = folder.file("table", 0o600);
        let key = folder.file("key", 0o644).display().to_string();
        for (enable, count) in [(true, 1), (false, 0)] {
            let device = Device {
                auth: Auth::Tls(Tls {
                    ca_certificate: Authorities::File(&key),
                    client: Some(ClientFiles {
                        certificate: &key,
                        key: &key,
                    }),
                    verify_hostname: true,
                    alpn: None,
                    credentials: None,
                }),
                ..Device::EMPTY
            };
            let found = warnings(&table, &[(&device, enable)], Redis::default());
            assert_eq!(found.len(), count, "{found:?}");
            assert!(found.iter().all(|warning| warning.ends_with(&key)));
        }
    }
}

//! A few lines of C in front of a program's shared libraries (`LD_PRELOAD`): for what a server or a system does in the field and cannot be told to do
//! here.

use std::process::Command;

use tempfile::TempDir;

use crate::install::{self, Tool};

const COMPILER: Tool = Tool::new("cc", "gcc");

/// A compiled library, in a folder that is removed in the end.
pub struct Preload {
    folder: TempDir,
}

impl Preload {
    /// Compiles `source`.
    ///
    /// # Panics
    ///
    /// If the compiler does not take it.
    #[must_use]
    pub fn new(source: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("preload.c");
        std::fs::write(&file, source).expect("write to a temporary folder");
        let preload = Self { folder };
        let output = Command::new(install::path(COMPILER))
            .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
            .args([preload.library(), file])
            .output()
            .expect("run the compiler");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        preload
    }

    /// What goes in front of the program's command line.
    #[must_use]
    pub fn words(&self) -> [String; 2] {
        let variable = format!("LD_PRELOAD={}", self.library().display());
        [String::from("env"), variable]
    }

    fn library(&self) -> std::path::PathBuf {
        self.folder.path().join("preload.so")
    }
}

//! What is in a program that is shipped, and by whose leave? A bill of materials (CycloneDX) and the licences of all parts, for beside the package and inside it.
//!
//! | module | question |
//! |---|---|
//! | [`crates`] | which crates are linked, with which features? |
//! | [`licences`] | what do a crate's licences say? |
//! | [`platform`] | what do the compiler and the C library bring? |
//! | [`sbom`] | how does CycloneDX write that? |
//! | [`notices`] | how does a person read it? |

pub mod crates;
pub mod licences;
pub mod notices;
pub mod platform;
pub mod sbom;

use std::fs;
use std::path::{Path, PathBuf};

/// A program, as it is built to be shipped.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its name, by which the bill calls it.
    pub name: &'static str,
    pub target: &'static str,
    /// Whether cargo's default features are left out.
    pub is_lean: bool,
    /// Further features, separated by commas.
    pub features: String,
}

/// Something that is linked into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub version: String,
    /// In SPDX' words.
    pub licence: String,
    /// As cargo names them; of a crate alone.
    pub features: Vec<String>,
    /// SHA-256 of what crates.io gave, as `Cargo.lock` has it.
    pub checksum: Option<String>,
    pub repository: Option<String>,
    /// Whether crates.io has it: then it has a package URL.
    pub is_from_registry: bool,
    /// References to what it needs itself.
    pub needs: Vec<String>,
    /// The licences' texts.
    pub texts: Vec<String>,
}

impl Part {
    /// How the bill refers to it.
    #[must_use]
    pub fn reference(&self) -> String {
        if self.is_from_registry {
            format!("pkg:cargo/{}@{}", self.name, self.version)
        } else {
            format!("{}@{}", self.name, self.version)
        }
    }
}

/// All that is in a program: the program itself comes first.
#[derive(Clone, Debug)]
pub struct Bill {
    pub product: Product,
    pub parts: Vec<Part>,
}

/// The names of the files.
pub const SBOM: &str = "sbom.cdx.json";
pub const NOTICES: &str = "notices.txt";

impl Bill {
    /// Lists the crates of a product, and these parts that the platform brings.
    ///
    /// # Errors
    ///
    /// If cargo does not tell, or a crate comes without the text of its licence.
    pub fn of(product: Product, platform: Vec<Part>) -> Result<Self, String> {
        let mut parts = crates::linked(&product)?;
        if let Some(program) = parts.first_mut() {
            program.needs.extend(platform.iter().map(Part::reference));
        }
        parts.extend(platform);
        Ok(Self { product, parts })
    }

    /// Writes both files into a folder of their own, for a program that has been built; returns the folder.
    ///
    /// # Errors
    ///
    /// If the program cannot be read, or the folder not be written.
    pub fn write(&self, program: &Path, folder: &Path) -> Result<PathBuf, String> {
        let hash = sbom::sha256(program)?;
        let bill = serde_json::to_string_pretty(&sbom::document(self, &hash)).expect("JSON");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(folder.join(SBOM), bill + "\n"))
            .and_then(|()| fs::write(folder.join(NOTICES), notices::text(self)))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder.to_path_buf())
    }
}

/// Puts copies beside a package, under its name: `NAME.sbom.cdx.json`, `NAME.notices.txt`.
///
/// # Errors
///
/// If one cannot be copied.
pub fn copy_beside(package: &Path, folder: &Path) -> Result<(), String> {
    for name in [SBOM, NOTICES] {
        let to = package.with_extension(name);
        fs::copy(folder.join(name), &to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

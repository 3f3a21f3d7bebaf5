//! What do a crate's licences say? The files beside its manifest and below it. Where MIT is offered, that is what is taken, and the long texts of the others
//! are left out: they would only fill a gateway's flash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::program;

/// What names of files with licences begin with.
const NAMES: [&str; 6] = [
    "licen",
    "copying",
    "copyright",
    "notice",
    "unlicense",
    "authors",
];

/// Short licences, in files' names: the first that a crate offers is chosen.
const CHOICES: [&str; 2] = ["mit", "boost"];

/// The licences that such a one stands beside as a choice, in files' names.
const ALTERNATIVES: [&str; 6] = ["apache", "unlicense", "boost", "cc0", "zlib", "0bsd"];

/// Folders of what is not linked.
const ASIDE: [&str; 6] = ["benches", "examples", "fuzz", "target", "test", "tests"];

/// SPDX' words for what older manifests write: `MIT/Apache-2.0`.
#[must_use]
pub fn spdx(licence: &str) -> String {
    licence.replace('/', " OR ")
}

/// The licence of the workspace itself.
///
/// # Errors
///
/// If it cannot be read.
pub fn own() -> Result<String, String> {
    let path = program::workspace().join("LICENSE");
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The texts of a crate's licences.
///
/// # Errors
///
/// If there are none, and its licence is not MIT, whose words are known.
pub fn texts(folder: &Path, licence: &str, authors: &[String]) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    collect(folder, &mut files).map_err(|error| format!("{}: {error}", folder.display()))?;
    files.sort();
    let offers = |wanted: &&&str| files.iter().any(|path| name(path).contains(**wanted));
    if let Some(&chosen) = CHOICES.iter().find(offers) {
        files.retain(|path| {
            let name = name(path);
            name.contains(chosen) || !ALTERNATIVES.iter().any(|other| name.contains(other))
        });
    }
    let mut texts = Vec::new();
    for path in files {
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        texts.push(text.trim().to_owned());
    }
    if texts.is_empty() {
        texts.push(mit(licence, authors)?);
    }
    Ok(texts)
}

/// MIT's words, where a crate names the licence and its authors and comes without a file.
///
/// # Errors
///
/// If the licence does not offer MIT.
pub fn mit(licence: &str, authors: &[String]) -> Result<String, String> {
    let mut words =
        licence.split(|character: char| !(character.is_alphanumeric() || "-.".contains(character)));
    if !words.any(|word| word == "MIT") {
        return Err(format!("no text of its licence, {licence:?}"));
    }
    let authors = match authors {
        [] => "its authors".to_owned(),
        authors => authors.join(", "),
    };
    Ok(format!("Copyright (c) {authors}\n\n{MIT}"))
}

const MIT: &str = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
\"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following
conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE
OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.";

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = name(&path);
        if path.is_dir() {
            if !ASIDE.contains(&&*name) && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if NAMES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
            fs::write(path, file).expect("a new file");
        }
        folder
    }

    #[test]
    fn of_licences_to_choose_from_mit_is_taken_and_all_of_what_is_asked_for_together() {
        for (files, licence, expected) in [
            (
                &["LICENSE-APACHE", "LICENSE-MIT", "src/lib.rs"][..],
                "MIT OR Apache-2.0",
                &["LICENSE-MIT"][..],
            ),
            (
                &["license-apache-2.0", "license-mit"],
                "MIT OR Apache-2.0",
                &["license-mit"],
            ),
            (&["LICENSE"], "ISC", &["LICENSE"]),
            (
                &[
                    "LICENSE",
                    "LICENSE-BoringSSL",
                    "third_party/fiat/LICENSE",
                    "tests/LICENSE",
                ],
                "Apache-2.0 AND ISC",
                &["LICENSE", "LICENSE-BoringSSL", "third_party/fiat/LICENSE"],
            ),
            (
                &[
                    "COPYRIGHT",
                    "LICENSE-APACHE",
                    "LICENSE-MIT",
                    "LICENSE-WHATWG",
                ],
                "(Apache-2.0 OR MIT) AND BSD-3-Clause",
                &["COPYRIGHT", "LICENSE-MIT", "LICENSE-WHATWG"],
            ),
        ] {
            let texts = texts(crate_with(files).path(), licence, &[]);
            assert_eq!(texts.expect("texts"), expected, "{licence}");
        }
    }

    #[test]
    fn without_a_text_there_is_no_leave_unless_it_is_mit() {
        let folder = crate_with(&["src/lib.rs"]);
        let author = ["A. Author".to_owned()];
        let texts = |licence| texts(folder.path(), licence, &author);
        let mit = texts("MIT").expect("MIT's own words");
        assert!(mit[0].starts_with("Copyright (c) A. Author\n\nPermission"));
        assert!(texts("MIT-0").is_err());
        assert!(texts("BSD-3-Clause").is_err());
    }
}

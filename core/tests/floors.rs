//! Does no import go up? The modules stand on floors, as `docs/architecture.md` has them: each knows only those below it, so that no two of
//! them import each other, and each can be read without those above.

use std::path::{Path, PathBuf};

/// From the ground up; those of one floor know nothing of each other.
const FLOORS: [&[&str]; 9] = [
    &[
        "bytes", "input", "time", "random", "index", "delivery", "counters",
    ],
    &["secret", "sample", "rate"],
    &["health", "log", "payload"],
    &["outbox", "net", "spool"],
    &["config"],
    &["redis", "mqtt"],
    &["routes", "observer"],
    &["bridge"],
    &["lib"],
];

fn floor(module: &str) -> usize {
    let floor = FLOORS.iter().position(|modules| modules.contains(&module));
    floor.unwrap_or_else(|| panic!("{module} has no floor"))
}

/// The files of a module, without its tests.
fn files(folder: &Path, files_found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            files(&path, files_found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
            files_found.push(path);
        }
    }
}

#[test]
fn no_module_imports_one_that_is_not_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&source, &mut all);
    let mut imports = 0;
    for path in all {
        let within = path.strip_prefix(&source).expect("it is there");
        let first = within.iter().next().and_then(|name| name.to_str());
        let module = first.expect("a name").trim_end_matches(".rs");
        let text = std::fs::read_to_string(&path).expect("a text");
        let text = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .expect("a part");
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for rest in line.split("crate::").skip(1) {
                let imported = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
                let imported = imported.into_iter().next().expect("a name");
                // The crate's own macros, and grouped imports, which the code has none of.
                if imported.is_empty() || imported == module || line.contains("$crate") {
                    continue;
                }
                imports += 1;
                assert!(
                    floor(imported) < floor(module),
                    "{}: {module} imports {imported}: {line}",
                    within.display()
                );
            }
        }
    }
    assert!(imports > 100, "only {imports} imports were looked at");
}

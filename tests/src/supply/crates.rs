//! Which crates are linked into a program, with which features? `cargo tree` tells that of exactly one target and set of features, without what only builds
//! or tests; `cargo metadata` tells licences, and `Cargo.lock` the checksums.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::{Part, Product, licences};
use crate::program;

/// The program's own package, and all that is linked into it, each once.
///
/// # Errors
///
/// If cargo does not tell, or a crate comes without the text of its licence.
pub fn linked(product: &Product) -> Result<Vec<Part>, String> {
    let tree = tree(product)?;
    let packages = packages(product)?;
    let checksums = checksums()?;
    let mut parts: Vec<Part> = Vec::new();
    for node in &tree {
        let key = (node.name.clone(), node.version.clone());
        let package = packages.get(&key);
        let package = package.ok_or_else(|| format!("cargo metadata has no {}", node.name))?;
        let folder = Path::new(&package.manifest).parent().expect("a folder");
        let checksum = checksums.get(&key).cloned();
        parts.push(Part {
            name: node.name.clone(),
            version: node.version.clone(),
            licence: licences::spdx(&package.licence),
            features: node.features.clone(),
            is_from_registry: checksum.is_some(),
            checksum,
            repository: package.repository.clone(),
            needs: node.needs.iter().map(|&at| tree[at].key()).collect(),
            texts: match package.is_own {
                true => vec![licences::own()?],
                false => licences::texts(folder, &package.licence, &package.authors)
                    .map_err(|error| format!("{} {}: {error}", node.name, node.version))?,
            },
        });
    }
    // Now that it is known which of them crates.io has.
    let references: HashMap<String, String> = parts
        .iter()
        .map(|part| (format!("{}@{}", part.name, part.version), part.reference()))
        .collect();
    for part in &mut parts {
        for need in &mut part.needs {
            need.clone_from(&references[need]);
        }
    }
    Ok(parts)
}

/// A crate in the tree.
struct Node {
    name: String,
    version: String,
    features: Vec<String>,
    /// By their places in the list.
    needs: Vec<usize>,
}

impl Node {
    fn key(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

fn tree(product: &Product) -> Result<Vec<Node>, String> {
    let mut cargo = program::cargo();
    cargo
        .current_dir(program::workspace())
        .args(["tree", "--locked", "--package", "mqtt-client"])
        .args(["--target", product.target])
        .args(["--edges", "normal,no-proc-macro", "--no-dedupe"])
        .args(["--prefix", "depth", "--format", " {p}|{f}"]);
    if product.is_lean {
        cargo.arg("--no-default-features");
    }
    if !product.features.is_empty() {
        cargo.args(["--features", &product.features]);
    }
    let output = program::output(&mut cargo)?;
    nodes(&output).ok_or_else(|| "cargo tree does not write what it did".into())
}

/// Reads lines such as `1 errno v0.3.15|default,std`: the depth, the package, its features.
fn nodes(tree: &str) -> Option<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut above: Vec<usize> = Vec::new();
    for line in tree.lines() {
        let (depth, rest) = line.split_once(' ')?;
        let (package, features) = rest.split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        let known = nodes
            .iter()
            .position(|node| node.name == name && node.version == version);
        let at = known.unwrap_or_else(|| {
            let features = features.split(',').filter(|feature| !feature.is_empty());
            nodes.push(Node {
                name: name.into(),
                version: version.into(),
                features: features.map(String::from).collect(),
                needs: Vec::new(),
            });
            nodes.len() - 1
        });
        above.truncate(depth.parse().ok()?);
        if let Some(&parent) = above.last()
            && !nodes[parent].needs.contains(&at)
        {
            nodes[parent].needs.push(at);
        }
        above.push(at);
    }
    Some(nodes)
}

/// What `cargo metadata` says of a package.
struct Package {
    licence: String,
    authors: Vec<String>,
    repository: Option<String>,
    manifest: String,
    is_own: bool,
}

fn packages(product: &Product) -> Result<HashMap<(String, String), Package>, String> {
    let mut cargo = program::cargo();
    cargo
        .current_dir(program::workspace())
        .args(["metadata", "--locked", "--format-version", "1"]);
    // Crates that no feature asks for are not told of.
    for feature in product.features.split(',').filter(|name| !name.is_empty()) {
        cargo.args(["--features", &format!("mqtt-client/{feature}")]);
    }
    let metadata = program::output(&mut cargo)?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let text = |value: &Value| value.as_str().map(String::from);
    let all = metadata["packages"].as_array();
    let all = all.ok_or("cargo metadata names no packages")?;
    let packages = all.iter().filter_map(|package| {
        let authors = package["authors"].as_array().into_iter().flatten();
        let key = (text(&package["name"])?, text(&package["version"])?);
        let found = Package {
            licence: text(&package["license"]).unwrap_or_default(),
            authors: authors.filter_map(text).collect(),
            repository: text(&package["repository"]),
            manifest: text(&package["manifest_path"])?,
            is_own: package["source"].is_null(),
        };
        Some((key, found))
    });
    Ok(packages.collect())
}

/// The checksums in `Cargo.lock`; the workspace's own packages have none.
fn checksums() -> Result<HashMap<(String, String), String>, String> {
    let lock = std::fs::read_to_string(program::workspace().join("Cargo.lock"));
    let lock = lock.map_err(|error| format!("Cargo.lock: {error}"))?;
    let mut checksums = HashMap::new();
    for package in lock.split("[[package]]") {
        let value = |key: &str| {
            let mut lines = package.lines();
            let line = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
            line.strip_suffix('"').map(String::from)
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (value("name"), value("version"), value("checksum"))
        {
            checksums.insert((name, version), checksum);
        }
    }
    Ok(checksums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_several_need_is_one_node_with_each_of_them_above() {
        let tree = "0 a v1.0.0 (/work)|tls\n1 b v2.0.0|\n2 c v3.0.0+1|std,x\n1 c v3.0.0+1|std,x\n1 d v1.0.0|\n";
        let nodes = nodes(tree).expect("lines of cargo tree");
        let needs: Vec<_> = nodes
            .iter()
            .map(|node| (node.key(), node.needs.clone()))
            .collect();
        assert_eq!(
            needs,
            [
                ("a@1.0.0".into(), vec![1, 2, 3]),
                ("b@2.0.0".into(), vec![2]),
                ("c@3.0.0+1".into(), vec![]),
                ("d@1.0.0".into(), vec![]),
            ]
        );
        assert_eq!(nodes[2].features, ["std", "x"]);
    }
}

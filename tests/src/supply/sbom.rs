//! How does CycloneDX write what is in a program? JSON, version 1.5 of the specification (ECMA-424). The same program gives the same bytes: there is no time in it,
//! and no random number.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Bill, Part};
use crate::program;

/// The document, for a program with this SHA-256.
#[must_use]
pub fn document(bill: &Bill, hash: &str) -> Value {
    let (program, parts) = bill.parts.split_first().expect("the program itself");
    let mut application = component(program, "application");
    application["name"] = bill.product.name.into();
    application["hashes"] = json!([{ "alg": "SHA-256", "content": hash }]);
    let properties = application["properties"].as_array_mut();
    let target = json!({ "name": "cargo:target", "value": bill.product.target });
    properties.expect("a list").push(target);
    let dependencies = bill
        .parts
        .iter()
        .map(|part| json!({ "ref": part.reference(), "dependsOn": part.needs }));
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": application },
        "components": parts.iter().map(|part| component(part, "library")).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    })
}

fn component(part: &Part, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": part.reference(),
        "name": part.name,
        "version": part.version,
        "licenses": [{ "expression": part.licence }],
        "properties": part.features.iter().map(|feature| json!({ "name": "cargo:feature", "value": feature })).collect::<Vec<_>>(),
    });
    if part.is_from_registry {
        component["purl"] = part.reference().into();
    }
    if let Some(checksum) = &part.checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(repository) = &part.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}

/// SHA-256 of a file.
///
/// # Errors
///
/// If it cannot be read.
pub fn sha256(file: &Path) -> Result<String, String> {
    let output = program::output(Command::new("sha256sum").arg("--").arg(file))?;
    let hash = output.split_whitespace().next();
    Ok(hash.unwrap_or_default().to_owned())
}

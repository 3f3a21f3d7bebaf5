#!/usr/bin/env bash
# calamine 0.38.0 (crates.io) refuses an .ods workbook with white space between the cells of a row.
#
# Expected: the cells are read. White space between elements means nothing where the schema allows no text (OpenDocument 1.2, part 1,
# 9.1.3: a table-row holds cells only), and Gnumeric 1.12.55 and SheetJS 0.18.5 write each cell on a line of its own.
# Seen: "Expecting 'table-cell', found 'Text(...)'", and the same workbook without that white space is read.
#
# Exit status: 0 while this holds, 1 once it has changed, 2 if it could not be tried.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# rustup's cargo finds its compilers beside itself, should HOME be another one.
home=$(dirname "$(dirname "$(dirname "$(command -v cargo)")")")
if [ -d "$home/.rustup" ]; then export RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup}; fi
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "white-space"
version = "0.0.0"
edition = "2021"

[dependencies]
calamine = "=0.38.0"
zip = { version = "=9.8.1", default-features = false }
TOML
cat > src/main.rs <<'RUST'
use std::io::{Cursor, Write};
use calamine::{Ods, Reader};

const KIND: &str = "application/vnd.oasis.opendocument.spreadsheet";

/// A workbook of one row with two cells, with `between` in front of, between and behind them.
fn workbook(between: &str) -> Vec<u8> {
    let cell = |text| format!("<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>");
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-content \
         xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
         xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
         xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" office:version=\"1.2\"><office:body>\
         <office:spreadsheet><table:table table:name=\"Sheet\"><table:table-column/><table:table-row>{between}{}{between}{}{between}\
         </table:table-row></table:table></office:spreadsheet></office:body></office:document-content>",
        cell("a"), cell("b"));
    let manifest = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><manifest:manifest \
         xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\" manifest:version=\"1.2\">\
         <manifest:file-entry manifest:full-path=\"/\" manifest:media-type=\"{KIND}\"/>\
         <manifest:file-entry manifest:full-path=\"content.xml\" manifest:media-type=\"text/xml\"/></manifest:manifest>");
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, text) in [("mimetype", KIND), ("content.xml", &content), ("META-INF/manifest.xml", &manifest)] {
        archive.start_file(name, stored).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn read(between: &str) -> Result<usize, calamine::OdsError> {
    let mut book = Ods::new(Cursor::new(workbook(between)))?;
    Ok(book.worksheet_range("Sheet")?.used_cells().count())
}

fn main() {
    let (without, with) = (read(""), read("\n  "));
    println!("without white space: {without:?}");
    println!("with white space:    {with:?}");
    let holds = matches!(without, Ok(2)) && matches!(with, Err(calamine::OdsError::Mismatch { .. }));
    std::process::exit(if holds { 0 } else { 1 });
}
RUST
cargo build --quiet || exit 2
target/debug/white-space

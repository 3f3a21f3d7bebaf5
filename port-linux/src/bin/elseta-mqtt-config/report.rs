//! How does a message name its cell? `Devices!H4 mqtt_qos: 3 is not in 0..2`.

use std::fmt::{self, Display};

pub use mqtt_client_core::config::Severity;

use crate::characters::brief;
use crate::workbook::{Sheet, Spot};

/// One thing to say about the workbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub severity: Severity,
    /// The number of the sheet and a place in it; `None`: the workbook as a whole.
    pub place: Option<(usize, Spot)>,
    /// The parameter, or the column's name as it stands in the header; may be empty.
    pub parameter: String,
    pub text: String,
}

impl Remark {
    pub fn error(sheet: usize, spot: Spot, parameter: &str, text: impl Display) -> Remark {
        Remark {
            severity: Severity::Error,
            place: Some((sheet, spot)),
            parameter: parameter.to_owned(),
            text: text.to_string(),
        }
    }

    pub fn warning(sheet: usize, spot: Spot, parameter: &str, text: impl Display) -> Remark {
        Remark {
            severity: Severity::Warning,
            ..Remark::error(sheet, spot, parameter, text)
        }
    }

    /// Whether `other` says the same of another cell of the column.
    pub fn is_like(&self, other: &Remark) -> bool {
        let sheet = |remark: &Remark| remark.place.map(|(sheet, _)| sheet);
        sheet(self) == sheet(other) && self.parameter == other.parameter && self.text == other.text
    }

    /// As a line for a person.
    pub fn in_sheets<'r>(&'r self, sheets: &'r [Sheet]) -> impl Display + use<'r> {
        fmt::from_fn(|f| {
            if self.severity == Severity::Warning {
                f.write_str("warning: ")?;
            }
            let sheet = self
                .place
                .and_then(|(sheet, spot)| Some((sheets.get(sheet)?, spot)));
            if let Some((sheet, spot)) = sheet {
                write!(f, "{}", sheet.at(spot))?;
                if !self.parameter.is_empty() {
                    write!(f, " {}", brief(&self.parameter))?;
                }
                f.write_str(": ")?;
            }
            f.write_str(&self.text)
        })
    }
}

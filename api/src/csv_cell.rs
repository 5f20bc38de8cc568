//! Cells of CSV files that people open in spreadsheets.

/// A cell that no spreadsheet takes for a formula (OWASP, "CSV Injection").
pub fn neutral(cell: &str) -> std::borrow::Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}").into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::neutral;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, wanted) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("A=1", "A=1"),
            ("", ""),
        ] {
            assert_eq!(neutral(cell), wanted);
        }
    }
}

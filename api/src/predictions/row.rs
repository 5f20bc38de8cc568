//! One row of an input file: from cells to what is stored, or to what is wrong with it.

use artifacts::csv::{Cells, Fault};
use entity::stored::{Kind, RowErrorCode};
use migration::counted::{counted, named};
use rust_decimal::{Decimal, RoundingStrategy, prelude::FromPrimitive};

use super::scorecard::{Score, Scorecard};

/// The most ratios of a scorecard.
const MAX_RATIOS: usize = 5;
/// Ratios are stored as `numeric(20,4)`: below 10^16.
const RATIO_LIMIT: Decimal = Decimal::from_parts(1_874_919_424, 2_328_306, 0, false, 0);
/// Market capitalisation is stored as `numeric(20,2)`: below 10^18.
const MARKET_CAP_LIMIT: Decimal = Decimal::from_parts(2_808_348_672, 232_830_643, 0, false, 0);
/// Cells that stand for a missing ratio, beside the empty one.
const MISSING: [&str; 3] = ["NM", "N/A", "NA"];
/// How much of a cell is quoted in a message.
const QUOTED_CHARS: usize = 40;

/// Where each column of a kind stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    kind: Kind,
    symbol: usize,
    name: usize,
    market_cap: usize,
    sector: usize,
    year: usize,
    quarter: Option<usize>,
    ratios: Vec<usize>,
    width: usize,
    ignored: Vec<String>,
}

/// What tells a row from others, as it stands in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labels<'a> {
    /// `company_symbol`.
    pub symbol: &'a str,
    /// `company_name`.
    pub name: &'a str,
    /// `reporting_year`.
    pub year: &'a str,
    /// `reporting_quarter`.
    pub quarter: &'a str,
}

/// A row that can be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line at which it begins.
    pub line: i32,
    /// The company.
    pub company: Company,
    /// Four digits.
    pub year: String,
    /// `Q1` to `Q4`; always there for quarterly rows.
    pub quarter: Option<String>,
    /// In the order of the scorecard, as stored.
    pub ratios: [Option<Decimal>; MAX_RATIOS],
    /// By the ratios as given.
    pub score: Score,
}

/// The company of a row, as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Ticker symbol.
    pub symbol: String,
    /// Full name.
    pub name: String,
    /// Dollars, two decimals.
    pub market_cap: Decimal,
    /// Sector of industry.
    pub sector: String,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The line at which it begins.
    pub line: i32,
    /// The column at fault, where there is one.
    pub column: Option<String>,
    /// Which kind of fault.
    pub code: RowErrorCode,
    /// One sentence.
    pub message: String,
}

impl Columns {
    /// Finds the columns that a kind needs in a header, in any order and case. Others are ignored.
    ///
    /// The error is one sentence that follows "line 1 ".
    pub fn find(kind: Kind, header: Cells<'_>) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|cell| cell.trim().to_ascii_lowercase()).collect();
        let mut lacking = Vec::new();
        let mut twice = Vec::new();
        let mut place = |wanted: &str, required: bool| {
            let mut places = names.iter().enumerate().filter(|(_, name)| *name == wanted).map(|(place, _)| place);
            let first = places.next();
            if first.is_none() && required {
                lacking.push(wanted.to_owned());
            }
            if places.next().is_some() {
                twice.push(wanted.to_owned());
            }
            first
        };
        let [symbol, name, market_cap, sector, year] =
            ["company_symbol", "company_name", "market_cap", "sector", "reporting_year"]
                .map(|column| place(column, true).unwrap_or_default());
        let quarter = place("reporting_quarter", kind == Kind::Quarterly);
        let ratios: Vec<usize> =
            Scorecard::of(kind).ratios().map(|ratio| place(ratio, true).unwrap_or_default()).collect();
        if !lacking.is_empty() {
            return Err(format!("lacks the {} {}", named(lacking.len(), "column"), lacking.join(", ")));
        }
        if !twice.is_empty() {
            return Err(format!("names the {} {} twice", named(twice.len(), "column"), twice.join(", ")));
        }
        let read = [symbol, name, market_cap, sector, year].into_iter().chain(quarter).chain(ratios.iter().copied());
        let read: Vec<usize> = read.collect();
        let others = header.iter().enumerate().filter(|(place, _)| !read.contains(place));
        let ignored = others.map(|(_, name)| shortened(name.trim())).collect();
        Ok(Self { kind, symbol, name, market_cap, sector, year, quarter, ratios, width: header.len(), ignored })
    }

    /// The names of the columns that are not read, shortened.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// What tells this row from others, good or bad.
    pub fn labels<'a>(&self, cells: Cells<'a>) -> Labels<'a> {
        let cell = |place: usize| cells.get(place).unwrap_or_default().trim();
        Labels {
            symbol: cell(self.symbol),
            name: cell(self.name),
            year: cell(self.year),
            quarter: self.quarter.map(cell).unwrap_or_default(),
        }
    }

    /// Reads and scores one row.
    pub fn read(&self, line: u64, cells: Result<Cells<'_>, Fault>) -> Result<Row, RowFault> {
        let line = i32::try_from(line).unwrap_or(i32::MAX);
        let at_line =
            |fault: CellFault| RowFault { line, column: fault.column, code: fault.code, message: fault.message };
        let cells = cells.map_err(|fault| at_line(malformed(format!("The row {fault}."))))?;
        if cells.len() != self.width {
            let message = format!("The row has {}, the header {}.", counted(cells.len(), "cell"), self.width);
            return Err(at_line(malformed(message)));
        }
        self.parse(line, cells).map_err(at_line)
    }

    fn parse(&self, line: i32, cells: Cells<'_>) -> Result<Row, CellFault> {
        let cell = |place: usize| cells.get(place).unwrap_or_default().trim();
        let company = Company {
            symbol: text("company_symbol", cell(self.symbol), 20)?,
            name: text("company_name", cell(self.name), 255)?,
            market_cap: market_cap(cell(self.market_cap))?,
            sector: text("sector", cell(self.sector), 100)?,
        };
        let year = year(cell(self.year))?;
        let quarter = match self.quarter.map(cell) {
            None | Some("") if self.kind == Kind::Annual => None,
            given => Some(quarter(given.unwrap_or_default())?),
        };
        let mut given = [None; MAX_RATIOS];
        let mut ratios = [None; MAX_RATIOS];
        let names = Scorecard::of(self.kind).ratios();
        for (index, (name, place)) in names.zip(&self.ratios).enumerate() {
            if let Some((as_given, stored)) = ratio(name, cell(*place))? {
                given[index] = Some(as_given);
                ratios[index] = Some(stored);
            }
        }
        Ok(Row { line, company, year, quarter, ratios, score: Scorecard::of(self.kind).score(&given) })
    }
}

struct CellFault {
    column: Option<String>,
    code: RowErrorCode,
    message: String,
}

fn malformed(message: String) -> CellFault {
    CellFault { column: None, code: RowErrorCode::Malformed, message }
}

fn fault(column: &str, code: RowErrorCode, message: String) -> CellFault {
    CellFault { column: Some(column.to_owned()), code, message }
}

fn missing(column: &str) -> CellFault {
    fault(column, RowErrorCode::MissingValue, format!("{column} is empty."))
}

fn invalid(column: &str, cell: &str, wanted: &str) -> CellFault {
    fault(column, RowErrorCode::InvalidValue, format!("{column} is \"{}\", which is not {wanted}.", shortened(cell)))
}

/// The beginning of a cell, fit to be quoted in a message.
fn shortened(cell: &str) -> String {
    let mut chars = cell.chars().map(|char| if char.is_control() { ' ' } else { char });
    let short: String = chars.by_ref().take(QUOTED_CHARS).collect();
    if chars.next().is_some() { short + "…" } else { short }
}

fn text(column: &str, cell: &str, longest: usize) -> Result<String, CellFault> {
    if cell.is_empty() {
        return Err(missing(column));
    }
    if cell.chars().any(|char| char == '\0') {
        return Err(invalid(column, cell, "text"));
    }
    if cell.chars().count() > longest {
        let message = format!("{column} has more than {longest} characters.");
        return Err(fault(column, RowErrorCode::InvalidValue, message));
    }
    Ok(cell.to_owned())
}

fn year(cell: &str) -> Result<String, CellFault> {
    let column = "reporting_year";
    if cell.is_empty() {
        return Err(missing(column));
    }
    if cell.len() == 4 && cell.bytes().all(|byte| byte.is_ascii_digit()) && ("1900".."2200").contains(&cell) {
        Ok(cell.to_owned())
    } else {
        Err(invalid(column, cell, "a year from 1900 to 2199"))
    }
}

fn quarter(cell: &str) -> Result<String, CellFault> {
    let column = "reporting_quarter";
    if cell.is_empty() {
        return Err(missing(column));
    }
    let quarter = cell.to_ascii_uppercase();
    if ["Q1", "Q2", "Q3", "Q4"].contains(&quarter.as_str()) {
        Ok(quarter)
    } else {
        Err(invalid(column, cell, "one of Q1, Q2, Q3, Q4"))
    }
}

fn market_cap(cell: &str) -> Result<Decimal, CellFault> {
    let column = "market_cap";
    if cell.is_empty() {
        return Err(missing(column));
    }
    let (given, stored) = number(column, cell, 2, MARKET_CAP_LIMIT)?;
    if given < 0.0 { Err(invalid(column, cell, "a number of dollars from 0")) } else { Ok(stored) }
}

fn ratio(column: &str, cell: &str) -> Result<Option<(f64, Decimal)>, CellFault> {
    if cell.is_empty() || MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing)) {
        return Ok(None);
    }
    number(column, cell, 4, RATIO_LIMIT).map(Some)
}

/// A number as given and as stored: rounded half away from zero, as PostgreSQL rounds a `numeric`.
fn number(column: &str, cell: &str, decimals: u32, limit: Decimal) -> Result<(f64, Decimal), CellFault> {
    let looks_like_one = cell.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let given = if looks_like_one { cell.parse::<f64>().ok() } else { None };
    let given = given.ok_or_else(|| invalid(column, cell, "a number"))?;
    let out_of_range = || {
        let message = format!("{column} is \"{}\", which is out of range: below {limit} is allowed.", shortened(cell));
        fault(column, RowErrorCode::OutOfRange, message)
    };
    // The text says it exactly; a notation that only f64 reads goes through f64.
    let exact = cell.parse::<Decimal>().ok().or_else(|| Decimal::from_f64(given)).ok_or_else(out_of_range)?;
    let stored = exact.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    if stored.abs() >= limit { Err(out_of_range()) } else { Ok((given, stored)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(cell: &str) -> Result<Option<String>, RowErrorCode> {
        ratio("r", cell)
            .map(|found| found.map(|(_, stored)| stored.normalize().to_string()))
            .map_err(|fault| fault.code)
    }

    #[test]
    fn limits_are_the_powers_of_ten_that_the_columns_hold() {
        assert_eq!(RATIO_LIMIT.to_string(), "10000000000000000");
        assert_eq!(MARKET_CAP_LIMIT.to_string(), "1000000000000000000");
    }

    #[test]
    fn ratios_are_numbers_missing_or_refused() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(stored("1e9"), some("1000000000"));
        assert_eq!(stored("100000000.0"), some("100000000"));
        assert_eq!(stored("-24.18250"), some("-24.1825"));
        assert_eq!(stored("0.00005"), some("0.0001"));
        assert_eq!(stored("-0.00005"), some("-0.0001"));
        assert_eq!(stored(".5"), some("0.5"));
        assert_eq!(stored("9999999999999999.9999"), some("9999999999999999.9999"));
        for cell in ["", "NM", "n/a"] {
            assert_eq!(stored(cell), Ok(None), "{cell}");
        }
        for cell in ["NaN", "inf", "-Infinity", "abc", "1,5", "0x1", "1e", "--1", "1 2"] {
            assert_eq!(stored(cell), Err(RowErrorCode::InvalidValue), "{cell}");
        }
        for cell in [
            "1e20",
            "-1e20",
            "1e400",
            "9999999999999999.99999",
            "10000000000000000",
            "99999999999999999999999999999999",
        ] {
            assert_eq!(stored(cell), Err(RowErrorCode::OutOfRange), "{cell}");
        }
    }
}

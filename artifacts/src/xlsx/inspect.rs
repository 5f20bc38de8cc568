//! A workbook is looked at before it is read: nothing in it may cost more memory or time than its budget allows.
//!
//! Every entry is really inflated and counted, for the sizes that a zip declares may be lies. Parts that `calamine` holds in
//! memory are also looked at for what would make it hold far more than they are long. As of 0.38 it
//! - reserves memory for as many shared strings as `uniqueCount` says;
//! - gives each cell format (`xf`) copies of the names of its font and number format, and each sheet one of its path;
//! - holds one XML token, and the text of one cell, as a whole.
//!
//! The XML is cut into tokens by the same reader with the same settings, so that both see the same. Custom entities are
//! not expanded by it.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use zip::ZipArchive;

use super::{Stop, WorkbookFault};

/// The longest cell of a worksheet, as XML, and the longest tag; Excel's longest text is 32,767 characters.
const CELL_BYTES: usize = 1024 * 1024;
/// The most that all cell formats together may copy of the longest tag in the styles, in bytes. Excel's most formats with
/// its longest names stay far below.
const COPIED_BYTES: u64 = 64_000_000;
/// The longest tag that names a part of the workbook. Links out of a sheet stand in such tags too.
const RELATION_BYTES: usize = 16 * 1024;
/// How much may follow the place at which a worksheet is broken.
const BROKEN_BYTES: u64 = 4 * 1024 * 1024;
/// The most tags that may be open at once.
const DEPTH: usize = 1000;
/// The most cell formats; Excel allows 65,490 of cells, and named ones beside.
const FORMATS: u64 = 100_000;
/// The most sheets.
const SHEETS: u64 = 10_000;
/// How many bytes a shared string takes in its part at least: `<si/>`.
const SHARED_STRING_BYTES: u64 = 5;

/// How much a workbook may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of all worksheets together, inflated. They are streamed: it bounds time.
    pub sheet_bytes: u64,
    /// Bytes of everything else together, inflated: shared strings, styles, pictures, macros. It bounds memory.
    pub other_bytes: u64,
    /// How many entries the zip may have.
    pub entries: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { sheet_bytes: 1_000_000_000, other_bytes: 64_000_000, entries: 10_000 }
    }
}

impl Stop {
    pub(super) fn too_many(budget: Budget) -> Self {
        Self::too_large(format!("it has more than {} parts", budget.entries))
    }
}

/// What an entry can be to `calamine`, by its name: it finds these by the end of their path, in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Worksheet,
    SharedStrings,
    Styles,
    /// Where it says which part is the workbook.
    RootRelations,
    Other,
}

impl Part {
    fn of(name: &str) -> Self {
        let name = name.replace('\\', "/").to_ascii_lowercase();
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", &name));
        let in_worksheets = folder.rsplit('/').next() == Some("worksheets");
        let extension = file.rsplit('.').next();
        match file {
            "sharedstrings.xml" => Self::SharedStrings,
            "styles.xml" => Self::Styles,
            _ if name == "_rels/.rels" => Self::RootRelations,
            _ if in_worksheets && extension == Some("xml") => Self::Worksheet,
            _ => Self::Other,
        }
    }
}

/// Inflates and looks at every entry, unless `dropped` says that nobody waits for it.
pub fn inspect(file: &File, budget: Budget, dropped: impl Fn() -> bool) -> Result<(), Stop> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| Stop::of(&error))?;
    if archive.len() > budget.entries {
        return Err(Stop::too_many(budget));
    }
    let (mut sheet_bytes, mut other_bytes) = (budget.sheet_bytes, budget.other_bytes);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| Stop::of(&error))?;
        let part = Part::of(&entry.name().map_err(|error| Stop::of(&error))?);
        let left = if part == Part::Worksheet { &mut sheet_bytes } else { &mut other_bytes };
        let mut meter = Meter { entry, left, inflated: 0, spent: false, dropped: &dropped };
        let looked_at =
            if part == Part::Worksheet { look_at_sheet(&mut meter) } else { look_at_part(part, &mut meter) };
        let drained = io::copy(&mut meter, &mut io::sink());
        if dropped() {
            return Err(Stop::Dropped);
        }
        if meter.spent {
            return Err(over(part, budget));
        }
        drained.map_err(|error| Stop::of(&error))?;
        looked_at?.end(meter.inflated)?;
    }
    Ok(())
}

fn over(part: Part, budget: Budget) -> Stop {
    let (what, bytes) = if part == Part::Worksheet {
        ("its sheets unpack", budget.sheet_bytes)
    } else {
        ("its texts, styles and attachments unpack", budget.other_bytes)
    };
    Stop::too_large(format!("{what} to more than {} MB", bytes / 1_000_000))
}

/// Counts what an entry inflates to.
struct Meter<'a, R, D> {
    entry: R,
    left: &'a mut u64,
    inflated: u64,
    spent: bool,
    dropped: D,
}

impl<R: Read, D: Fn() -> bool> Read for Meter<'_, R, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.spent || (self.dropped)() {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let read = self.entry.read(buffer)?;
        let bytes = read as u64;
        self.inflated += bytes;
        self.spent = bytes > *self.left;
        *self.left = self.left.saturating_sub(bytes);
        Ok(read)
    }
}

/// Fails where more is read than `left`, which is set anew for each token or cell.
struct Bounded<R> {
    from: BufReader<R>,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let filled = self.from.fill_buf()?;
        Ok(&filled[..filled.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.left -= bytes;
        self.from.consume(bytes);
    }
}

fn tokens<R: Read>(from: R, left: usize) -> Reader<Bounded<R>> {
    let mut reader = Reader::from_reader(Bounded { from: BufReader::new(from), left });
    let config = reader.config_mut();
    config.check_end_names = false;
    config.trim_text(false);
    config.check_comments = false;
    config.expand_empty_elements = true;
    reader
}

/// A worksheet has no token and no cell that is too long, up to the end of its cells. What else is wrong with it shows when
/// it is read, with the row at which it stands; but what follows may then be taken for one cell, and so may not be long.
fn look_at_sheet<R: Read, D: Fn() -> bool>(meter: &mut Meter<'_, R, D>) -> Result<Tally, Stop> {
    let broken = look_at_cells(meter)?;
    let before = meter.inflated;
    if broken && io::copy(meter, &mut io::sink()).is_ok() && meter.inflated - before > BROKEN_BYTES {
        return Err(Stop::unreadable("a worksheet is broken long before its end"));
    }
    Ok(Tally::default())
}

/// Whether a tag is closed by another before the end of a worksheet's cells.
fn look_at_cells(sheet: &mut impl Read) -> Result<bool, Stop> {
    let mut reader = tokens(sheet, CELL_BYTES);
    // Where a tag is closed by another, `calamine` reads on for its own.
    reader.config_mut().check_end_names = true;
    let mut buffer = Vec::new();
    let (mut in_cell, mut depth) = (false, 0_usize);
    let mut cell = Cell::default();
    loop {
        buffer.clear();
        if !in_cell {
            reader.get_mut().left = CELL_BYTES;
        }
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => {
                depth = deeper(depth)?;
                if tag.local_name().as_ref() == "c" {
                    in_cell = true;
                    cell.begin(&tag);
                } else {
                    cell.inside(tag.local_name().as_ref());
                }
            }
            Ok(Event::Text(text)) => cell.stored |= cell.in_value && !text.is_empty(),
            Ok(Event::End(tag)) => {
                depth = depth.saturating_sub(1);
                match tag.local_name().as_ref() {
                    "c" => {
                        in_cell = false;
                        cell.end()?;
                    }
                    "v" => cell.in_value = false,
                    "sheetData" if !in_cell => return Ok(false),
                    _ => {}
                }
            }
            Err(_) if reader.get_ref().left == 0 => {
                return Err(Stop::too_large("one of its cells is longer than 1 MB"));
            }
            // Other than these faults `calamine` finds for itself, at the same place.
            Err(quick_xml::Error::IllFormed(_)) => return Ok(true),
            Ok(Event::Eof) | Err(_) => return Ok(false),
            Ok(_) => {}
        }
    }
}

/// A cell, as far as its formula goes.
#[derive(Default)]
struct Cell {
    /// As they stand in its tag; looked at where there is a formula alone.
    attributes: String,
    formula: bool,
    in_value: bool,
    /// What the formula gave is stored beside it.
    stored: bool,
}

impl Cell {
    fn begin(&mut self, tag: &BytesStart<'_>) {
        self.attributes.clear();
        self.attributes.push_str(tag.attributes_raw());
        (self.formula, self.in_value, self.stored) = (false, false, false);
    }

    fn inside(&mut self, tag: &str) {
        self.formula |= tag == "f";
        self.in_value = tag == "v";
    }

    /// Programs that write workbooks without calculating them leave formulas without what they give: to take such a cell for
    /// an empty one would be a guess. A formula may give an empty text, though.
    fn end(&self) -> Result<(), Stop> {
        if !self.formula || self.stored || self.attribute("t") == Some("str") {
            return Ok(());
        }
        let name: String = self.attribute("r").unwrap_or_default().chars().take(10).collect();
        let name = if name.chars().all(|char| char.is_ascii_alphanumeric()) { name } else { String::new() };
        Err(Stop::Fault(WorkbookFault::Uncalculated(name)))
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let place = self.attributes.split_ascii_whitespace().find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
        Some(place.trim_matches(['"', '\'']))
    }
}

/// One tag further in: the reader holds the names of all tags that are open.
fn deeper(depth: usize) -> Result<usize, Stop> {
    if depth < DEPTH { Ok(depth + 1) } else { Err(Stop::unreadable("tags within too many others")) }
}

/// What a part would make `calamine` hold beyond the part's own length.
#[derive(Default)]
struct Tally {
    formats: u64,
    longest_style: u64,
    sheets: u64,
    shared_strings: u64,
}

fn look_at_part(part: Part, meter: &mut impl Read) -> Result<Tally, Stop> {
    let mut reader = tokens(meter, usize::MAX);
    let mut buffer = Vec::new();
    let (mut tally, mut depth) = (Tally::default(), 0_usize);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => {
                depth = deeper(depth)?;
                tally.add(part, &tag)?;
            }
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            // No XML, or broken: where it is needed, that shows when it is read.
            Ok(Event::Eof) | Err(_) => return Ok(tally),
            Ok(_) => {}
        }
    }
}

impl Tally {
    fn add(&mut self, part: Part, tag: &BytesStart<'_>) -> Result<(), Stop> {
        let name = tag.local_name();
        let name = name.as_ref();
        if part == Part::SharedStrings && name == "sst" {
            self.shared_strings = self.shared_strings.max(declared_strings(tag)?);
        }
        if part == Part::Styles && name != "styleSheet" {
            self.formats += u64::from(name == "xf");
            self.longest_style = self.longest_style.max(tag.len() as u64);
        }
        if part == Part::RootRelations && names_a_worksheet(tag.attributes_raw()) {
            return Err(Stop::unreadable("a worksheet stands in for the workbook"));
        }
        if matches!(name, "sheet" | "Relationship") && tag.len() > RELATION_BYTES {
            return Err(Stop::too_large("one of its parts has a name that is too long"));
        }
        self.sheets += u64::from(name == "sheet");
        if self.formats > FORMATS {
            return Err(Stop::too_large(format!("it has more than {FORMATS} cell formats")));
        }
        if self.sheets > SHEETS {
            return Err(Stop::too_large(format!("it has more than {SHEETS} sheets")));
        }
        Ok(())
    }

    /// What can only be told when the whole part has been seen.
    fn end(&self, inflated: u64) -> Result<(), Stop> {
        if self.formats.saturating_mul(self.longest_style) > COPIED_BYTES {
            return Err(Stop::too_large("its cell formats have names that are too long"));
        }
        if self.shared_strings > inflated / SHARED_STRING_BYTES {
            return Err(Stop::unreadable("more shared strings are declared than there are"));
        }
        Ok(())
    }
}

/// Whether a target may be what has a worksheet's budget. Its path is matched in any case, and may hide behind references.
fn names_a_worksheet(attributes: &str) -> bool {
    attributes.contains('&') || attributes.to_ascii_lowercase().contains("worksheets")
}

fn declared_strings(tag: &BytesStart<'_>) -> Result<u64, Stop> {
    let mut most = 0;
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| Stop::of(&error))?;
        if attribute.key.as_ref() == "uniqueCount" {
            let count = attribute.value.trim().parse::<u64>();
            most = most.max(count.map_err(|error| Stop::of(&error))?);
        }
    }
    Ok(most)
}

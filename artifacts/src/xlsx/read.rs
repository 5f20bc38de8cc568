//! The thread that reads a workbook.

use std::{
    fs::File,
    io::{BufReader, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
};

use calamine::{Reader, Sheet, SheetType, SheetVisible, Xlsx, XlsxCellReader};
use tokio::sync::mpsc::Sender;

use super::{
    Budget, Message, Stop, WorkbookFault,
    inspect::inspect,
    rows::{Builder, Rows},
};

/// The longest name that Excel gives a sheet, in characters.
const LONGEST_NAME: usize = 31;

type Messages = Sender<Result<Message, Stop>>;

/// Reads a workbook to its end, or until nobody waits for its rows any more.
pub fn read(file: File, budget: Budget, messages: &Messages) {
    match read_workbook(file, budget, messages) {
        Ok(()) | Err(Stop::Dropped) => {}
        Err(stop) => {
            // Where nobody waits, nobody is to know.
            let _told = messages.blocking_send(Err(stop));
        }
    }
}

fn read_workbook(mut file: File, budget: Budget, messages: &Messages) -> Result<(), Stop> {
    inspect(&file, budget, || messages.is_closed())?;
    file.rewind().map_err(Stop::Disk)?;
    let mut workbook = Xlsx::new(BufReader::new(file)).map_err(|error| Stop::of(&error))?;
    let (sheet, others) = choose(workbook.sheets_metadata())?;
    let told = shown(&sheet);
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(|error| Stop::of(&error).at(&told, 0))?;
    tell(messages, Message::Opened { sheet: told.clone(), others })?;
    read_sheet(&mut cells, &told, messages)
}

fn tell(messages: &Messages, message: Message) -> Result<(), Stop> {
    messages.blocking_send(Ok(message)).map_err(|_| Stop::Dropped)
}

/// A sheet's name as it may be told: what Excel would not allow in it is left out.
fn shown(name: &str) -> String {
    name.chars().filter(|char| !char.is_control()).take(LONGEST_NAME).collect()
}

/// The name of the first visible worksheet, and those of all other sheets as they may be told.
fn choose(sheets: &[Sheet]) -> Result<(String, Vec<String>), Stop> {
    let readable = |sheet: &Sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible;
    let chosen = sheets.iter().position(readable).ok_or(Stop::Fault(WorkbookFault::NoWorksheet))?;
    let name = sheets[chosen].name.clone();
    // A sheet is opened by its name, so that another before it would be read in its place.
    if sheets[..chosen].iter().any(|sheet| sheet.name == name) {
        return Err(Stop::unreadable("two sheets of one name"));
    }
    let mut others: Vec<String> = sheets.iter().map(|sheet| shown(&sheet.name)).collect();
    others.remove(chosen);
    Ok((name, others))
}

/// After how many cells to look whether somebody still waits.
const CELLS_UNASKED: u64 = 10_000;

type Cells<'a> = XlsxCellReader<'a, BufReader<File>>;

fn read_sheet(cells: &mut Cells<'_>, sheet: &str, messages: &Messages) -> Result<(), Stop> {
    let mut builder = Builder::default();
    for number in 0_u64.. {
        // A sheet of empty cells tells nothing, and so would not notice.
        if number.is_multiple_of(CELLS_UNASKED) && messages.is_closed() {
            return Err(Stop::Dropped);
        }
        // Caught here, a panic costs none of the rows before it.
        let added = match catch_unwind(AssertUnwindSafe(|| cells.next_cell())) {
            Ok(Ok(Some(cell))) => builder.add(cell.get_position(), cell.get_value()),
            Ok(Ok(None)) => return tell_rows(messages, builder.end()),
            Ok(Err(error)) => Err(Stop::of(&error)),
            Err(_) => Err(Stop::unreadable("calamine panicked")),
        };
        match added {
            Ok(None) => {}
            Ok(Some(rows)) => tell_rows(messages, rows)?,
            Err(stop) => {
                let stop = stop.at(sheet, builder.line());
                tell_rows(messages, builder.end_broken())?;
                return Err(stop);
            }
        }
    }
    Ok(())
}

fn tell_rows(messages: &Messages, rows: Rows) -> Result<(), Stop> {
    if rows.len() == 0 { Ok(()) } else { tell(messages, Message::Rows(rows)) }
}

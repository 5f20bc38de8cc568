//! Settings from `joblink.toml`, below flags and environment and above the defaults.

use clap::{Args, Command, CommandFactory, FromArgMatches};

use super::Exit;

/// The file, in the folder where the program is started.
const FILE: &str = "joblink.toml";

/// Parses the program's arguments, with the settings of the file as defaults.
pub fn parse<A: CommandFactory + FromArgMatches>() -> Result<A, Exit> {
    let command = match read().and_then(|settings| with_defaults(A::command(), &settings)) {
        Ok(command) => command,
        Err(wrong) => return Err(help_or(wrong, A::command())),
    };
    let matches = command.get_matches();
    A::from_arg_matches(&matches).map_err(|error| error.exit())
}

/// The arguments of a command that was not named, with the settings of file and environment. [`parse`] has found the
/// file right; its settings for other commands are of no interest here.
pub fn defaults<A: Args>() -> Result<A, Exit> {
    let command = apply(A::augment_args(Command::new("joblink")), &read()?);
    let matches = command.get_matches_from(["joblink"]);
    A::from_arg_matches(&matches).map_err(|error| error.exit())
}

/// Who looks for help with a file that is wrong gets it, without what the file says; nothing else is done without it.
fn help_or(wrong: Exit, command: Command) -> Exit {
    use clap::error::ErrorKind;
    match command.try_get_matches() {
        Err(help) if matches!(help.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => help.exit(),
        _ => wrong,
    }
}

fn read() -> Result<toml::Table, Exit> {
    match std::fs::read_to_string(FILE) {
        Ok(text) => text.parse().map_err(|error| Exit::failed(&format!("cannot read {FILE}"), error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(toml::Table::new()),
        Err(error) => Err(Exit::failed(&format!("cannot read {FILE}"), error)),
    }
}

/// Puts the settings in the place of the defaults of the arguments that bear their names, in all subcommands.
fn with_defaults(command: Command, settings: &toml::Table) -> Result<Command, Exit> {
    let known: Vec<String> = names(&command);
    if let Some(stranger) = settings.keys().find(|key| !known.contains(key)) {
        return Err(Exit::Failed(format!(
            "{FILE} has the unknown setting {stranger:?}; `joblink serve --help` names all."
        )));
    }
    Ok(apply(command, settings))
}

fn names(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_long()).map(ToOwned::to_owned);
    own.chain(command.get_subcommands().flat_map(names)).collect()
}

fn apply(command: Command, settings: &toml::Table) -> Command {
    let subcommands: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = command.mut_args(|argument| {
        let Some(value) = argument.get_long().and_then(|name| settings.get(name)) else { return argument };
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        // `--help` tells the defaults, but no secrets.
        let is_secret = argument.is_hide_env_values_set() || argument.is_hide_default_value_set();
        argument.default_value(text).hide_default_value(is_secret)
    });
    subcommands.into_iter().fold(command, |command, name| command.mut_subcommand(name, |sub| apply(sub, settings)))
}

//! `tollgate certs dev`: authorities and certificates for trying things out; real ones come from your own authority.

use std::process::ExitCode;

use tollgate_runtime::Clock;
use tollgate_scenario::certs;

use super::documents;
use crate::cli::Certs;
use crate::exit::Exit;

pub(crate) fn certs(command: &Certs) -> Result<ExitCode, Exit> {
    let Certs::Dev { dir, set } = command;
    let documents = documents::load(set)?;
    let federation = documents.federation();
    let holders = certs::holders(federation);
    certs::write(dir, federation, &holders, Clock::system().now()).map_err(Exit::failed)?;
    say(&format!("{} certificates in {}", holders.len(), dir.display()));
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "tells the user where the result is")]
fn say(text: &str) {
    println!("{text}");
}

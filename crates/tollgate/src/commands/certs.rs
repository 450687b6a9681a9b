//! `tollgate certs dev`: authorities and certificates for trying things out; real ones come from your own authority.

use std::process::ExitCode;

use tollgate_runtime::Clock;
use tollgate_scenario::certs;

use super::{documents, print};
use crate::cli::Certs;
use crate::exit::Exit;

pub(crate) fn certs(command: &Certs) -> Result<ExitCode, Exit> {
    let Certs::Dev { dir, set } = command;
    let documents = documents::load(set)?;
    let federation = documents.federation();
    let holders = certs::holders(federation);
    certs::write(dir, federation, &holders, Clock::system().now()).map_err(Exit::failed)?;
    print::text(&format!("{} certificates in {}\n", holders.len(), dir.display()));
    Ok(ExitCode::SUCCESS)
}

//! Every place that data can be sent to: its regime, its legal entity, and from where it is reached.

use std::fmt;

use tollgate_federation::{Backend, BackendTarget, Link, Place, PlaceId, Role};

use super::{Report, joined};

impl Report<'_> {
    pub(super) fn write_places(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.documents.federation().places();
        writeln!(f, "\nplaces that data can be sent to")?;
        let widest = |of: fn(&Place) -> String| places.iter().map(|place| of(place).chars().count()).max().unwrap_or(0);
        let (id, regime) = (widest(|place| place.id.to_string()), widest(|place| place.regime.to_string()));
        let entity = widest(|place| place.entity.clone());
        for place in &places {
            let (name, lies_in, run_by) = (place.id.to_string(), place.regime.as_str(), &place.entity);
            writeln!(f, "  {name:<id$}  {lies_in:<regime$}  {run_by:<entity$}  {}", self.reached(place))?;
        }
        Ok(())
    }

    /// From where a place is reached. A backend is told from others of its name by the tier that sends to it.
    fn reached(&self, place: &Place) -> String {
        let federation = self.documents.federation();
        let over: Vec<&Link> = place.over.iter().filter_map(|link| federation.link(*link)).collect();
        let inside = match &place.id {
            PlaceId::Tier(tier) if tier.role() == Role::Central => {
                Some(format!("from {}/gateway: traces", tier.region()))
            }
            PlaceId::Tier(_) => Some("from its region's collectors".to_owned()),
            PlaceId::Backend(id) => {
                let backend = federation.tier(id.tier()).and_then(|tier| tier.backend(id.name()));
                backend.filter(|_| over.is_empty()).map(|backend| format!("from {}", id.tier()) + &target(backend))
            }
        };
        let over = (!over.is_empty()).then(|| self.over(&over));
        inside.into_iter().chain(over).collect::<Vec<_>>().join("; ")
    }

    fn over(&self, links: &[&Link]) -> String {
        let from = |link: &&Link| {
            let closed = if self.is_closed(link) { " (CLOSED)" } else { "" };
            format!("{}{closed}", link.source())
        };
        let word = if links.len() == 1 { "link" } else { "links" };
        format!("over {word} from {}", joined(links.iter().map(from)))
    }
}

fn target(backend: &Backend) -> String {
    let to = match backend.target() {
        BackendTarget::OtlpGrpc(address) => format!(" to {address}"),
        BackendTarget::OtlpHttp(url) => format!(" to {url}"),
        BackendTarget::File { .. } => ", as files on its nodes".to_owned(),
    };
    format!("{to}: {}", backend.signals())
}

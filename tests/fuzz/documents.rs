//! Documents: whatever the text, it is refused or prepared, in bounded time and without exhausting the stack; what was
//! prepared is prepared to itself again, at the same cost.

use api::{
    app::DocumentLimits,
    graphql::{
        document::{self, types::Types},
        sdl,
    },
};
use async_graphql::{Variables, parser::parse_query};

#[test]
fn a_text_of_any_kind_is_refused_or_prepared() {
    let (types, limits) = (Types::new(&sdl()), DocumentLimits::default());
    bolero::check!(name = "document").for_each(|text: &[u8]| {
        let Ok(text) = std::str::from_utf8(text) else { return };
        if document::text::check(text, &limits).is_err() {
            return;
        }
        let Ok(parsed) = parse_query(text) else { return };
        let variables = Variables::default();
        let name = parsed.operations.iter().next().and_then(|(name, _)| name.cloned());
        let Ok(prepared) = document::prepare(&parsed, name.as_deref(), &variables, &types, &limits) else { return };
        assert!(prepared.cost <= limits.cost, "{}", prepared.cost);
        assert!(prepared.roots.len() <= limits.root_fields, "{:?}", prepared.roots);
        assert!(prepared.document.fragments.is_empty());
        let again = document::prepare(&prepared.document, name.as_deref(), &variables, &types, &limits);
        let again = again.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((again.cost, again.roots), (prepared.cost, prepared.roots));
    });
}

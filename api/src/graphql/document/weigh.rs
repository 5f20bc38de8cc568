//! How much a document is with its fragments expanded, told without expanding them: each fragment is weighed once.
//!
//! The rules of validation follow each spread of a fragment anew, so what is refused here would keep them busy for hours.
//! Whatever operation is wanted, all are weighed, and fragments that none of them uses: validation goes through them too.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
};

use super::{
    Unprepared,
    exceeded::{Exceeded, Limit},
};
use crate::app::DocumentLimits;

/// How deep selections and fragments may stand in each other, whether or not fields are between them; deeper, the
/// library's rules exhaust their stack. The depth of fields alone is a limit of its own.
pub const DEEPEST_NESTING: usize = 100;

/// What an operation or a fragment weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Fields, spreads and inline fragments, and the directives on them, those of fragments as often as they are spread.
    pub fields: u64,
    /// Fields under another name.
    pub aliases: u64,
    /// Levels of fields.
    pub depth: usize,
    /// Levels of fields and fragments.
    nesting: usize,
}

/// Refuses a document of which an operation or a fragment is beyond the limits, or all operations together have too many
/// fields.
pub fn check(document: &ExecutableDocument, limits: &DocumentLimits) -> Result<(), Unprepared> {
    let mut scale = Scale { fragments: &document.fragments, weights: HashMap::new() };
    // In the order of the text, so that of several reasons to refuse it the same one is told each time.
    let mut operations: Vec<_> = document.operations.iter().map(|(_, operation)| operation).collect();
    operations.sort_by_key(|operation| operation.pos);
    let mut fragments: Vec<_> = document.fragments.iter().collect();
    fragments.sort_by_key(|(_, fragment)| fragment.pos);
    let mut fields = 0_u64;
    for operation in operations {
        let weight = scale.set(&operation.node.selection_set.node, 0)?;
        fields = fields.saturating_add(weight.fields);
        Exceeded::check_wide(Limit::Fields, limits.fields as u64, fields)?;
        within(&weight, limits)?;
    }
    for (name, _) in fragments {
        within(&scale.fragment(name, 0)?, limits)?;
    }
    Ok(())
}

fn within(weight: &Weight, limits: &DocumentLimits) -> Result<(), Exceeded> {
    Exceeded::check_wide(Limit::Fields, limits.fields as u64, weight.fields)?;
    Exceeded::check(Limit::Depth, limits.depth, weight.depth)?;
    Exceeded::check_wide(Limit::Aliases, limits.aliases as u64, weight.aliases)
}

struct Scale<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// `None` while a fragment is on the scale.
    weights: HashMap<&'a Name, Option<Weight>>,
}

impl<'a> Scale<'a> {
    fn set(&mut self, set: &'a SelectionSet, depth: usize) -> Result<Weight, Unprepared> {
        Exceeded::check(Limit::Nesting, DEEPEST_NESTING, depth)?;
        let mut weight = Weight::default();
        for item in &set.items {
            let (is_field, aliased, inside) = match &item.node {
                Selection::Field(field) => {
                    (true, field.node.alias.is_some(), self.set(&field.node.selection_set.node, depth + 1)?)
                }
                Selection::InlineFragment(fragment) => {
                    (false, false, self.set(&fragment.node.selection_set.node, depth + 1)?)
                }
                Selection::FragmentSpread(spread) => {
                    (false, false, self.fragment(&spread.node.fragment_name.node, depth + 1)?)
                }
            };
            let own = 1 + item.node.directives().len() as u64;
            weight.fields = weight.fields.saturating_add(inside.fields).saturating_add(own);
            weight.aliases = weight.aliases.saturating_add(inside.aliases).saturating_add(aliased.into());
            weight.depth = weight.depth.max(inside.depth + usize::from(is_field));
            weight.nesting = weight.nesting.max(inside.nesting + 1);
        }
        Ok(weight)
    }

    fn fragment(&mut self, name: &'a Name, depth: usize) -> Result<Weight, Unprepared> {
        match self.weights.get(name) {
            Some(Some(weight)) => {
                // What was weighed elsewhere may stand deeper here.
                Exceeded::check(Limit::Nesting, DEEPEST_NESTING, depth + weight.nesting)?;
                return Ok(*weight);
            }
            Some(None) => return Err(Unprepared::Circular),
            None => {}
        }
        // Validation says that it is not there.
        let Some(fragment) = self.fragments.get(name) else { return Ok(Weight::default()) };
        self.weights.insert(name, None);
        let weight = self.set(&fragment.node.selection_set.node, depth)?;
        self.weights.insert(name, Some(weight));
        Ok(weight)
    }
}

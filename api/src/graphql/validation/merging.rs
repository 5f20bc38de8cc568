//! Fields that come under one name in the answer must be one field (the specification's FieldsInSetCanMerge, 5.3.2).
//!
//! Two passes down the document, each linear in its fields: one compares what shape fields of a name give, whatever
//! object they stand on; the other compares fields and arguments, where two may stand on the same object.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned, ServerError,
    indexmap::IndexMap,
    parser::types::{BaseType, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, Type},
};
use async_graphql_value::Value;

use super::{
    error, root,
    schema::{Schema, named},
};

/// How many fields are looked at before a document counts as too large to tell.
const BUDGET: usize = 200_000;

/// The first two fields of an operation that cannot be merged.
pub fn conflict(
    schema: &Schema,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Option<ServerError> {
    let root = Name::new(root(operation.ty));
    [Pass::Shapes, Pass::Fields].into_iter().find_map(|pass| {
        let mut merging = Merging { schema, document, pass, budget: BUDGET };
        merging.level(&[(Some(&root), &operation.selection_set.node)]).err()
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Shapes,
    Fields,
}

struct Merging<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    pass: Pass,
    budget: usize,
}

/// Selections and the type on which they stand; `None` where it is unknown.
type Set<'a> = (Option<&'a Name>, &'a SelectionSet);

/// A field and the type on which it stands.
#[derive(Clone, Copy)]
struct Selected<'a> {
    on: Option<&'a Name>,
    field: &'a Positioned<Field>,
    ty: Option<&'a Type>,
}

impl<'a> Merging<'a> {
    fn level(&mut self, sets: &[Set<'a>]) -> Result<(), ServerError> {
        let (mut fields, mut visited) = (IndexMap::new(), HashSet::new());
        for (on, set) in sets {
            self.collect(*on, set, &mut fields, &mut visited)?;
        }
        for (key, same) in fields {
            for group in self.groups(&same) {
                let Some((first, others)) = group.split_first() else { continue };
                for other in others {
                    if let Some(why) = self.differ(first, other) {
                        let message = format!("The fields \"{key}\" {why}; use different aliases to get both.");
                        return Err(error(message, [first.field.pos, other.field.pos]));
                    }
                }
                let children = group
                    .iter()
                    .map(|one| (one.ty.map(named), &one.field.node.selection_set.node))
                    .filter(|(_, set)| !set.items.is_empty());
                let children: Vec<_> = children.collect();
                if !children.is_empty() {
                    self.level(&children)?;
                }
            }
        }
        Ok(())
    }

    fn collect(
        &mut self,
        on: Option<&'a Name>,
        set: &'a SelectionSet,
        fields: &mut IndexMap<&'a Name, Vec<Selected<'a>>>,
        visited: &mut HashSet<&'a Name>,
    ) -> Result<(), ServerError> {
        for item in &set.items {
            self.budget = self.budget.checked_sub(1).ok_or_else(|| {
                error(
                    "The document is too complex: its fields cannot be compared with each other.".to_owned(),
                    [item.pos],
                )
            })?;
            match &item.node {
                Selection::Field(field) => {
                    let ty = self.schema.field(on, &field.node.name.node).map(|known| &known.ty);
                    fields.entry(&field.node.response_key().node).or_default().push(Selected { on, field, ty });
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    self.collect(condition.or(on), &fragment.node.selection_set.node, fields, visited)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && visited.insert(name)
                    {
                        let on = &fragment.node.type_condition.node.on.node;
                        self.collect(Some(on), &fragment.node.selection_set.node, fields, visited)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Fields of one name that are compared with each other.
    fn groups(&self, same: &[Selected<'a>]) -> Vec<Vec<Selected<'a>>> {
        if self.pass == Pass::Shapes {
            return vec![same.to_vec()];
        }
        // What stands on an interface may meet any object.
        let is_object = |one: &Selected<'a>| one.on.is_none_or(|on| !self.schema.interfaces.contains(on));
        let (on_objects, anywhere): (Vec<_>, Vec<_>) = same.iter().copied().partition(is_object);
        let mut groups: IndexMap<Option<&Name>, Vec<Selected<'a>>> = IndexMap::new();
        for one in on_objects {
            groups.entry(one.on).or_insert_with(|| anywhere.clone()).push(one);
        }
        if groups.is_empty() { vec![same.to_vec()] } else { groups.into_values().collect() }
    }

    fn differ(&self, first: &Selected<'a>, other: &Selected<'a>) -> Option<String> {
        let (a, b) = (&first.field.node, &other.field.node);
        match self.pass {
            Pass::Shapes => {
                let (a, b) = (first.ty?, other.ty?);
                (!self.same_shape(a, b)).then(|| format!("are of the different types \"{a}\" and \"{b}\""))
            }
            Pass::Fields if a.name.node != b.name.node => {
                Some(format!("are the different fields \"{}\" and \"{}\"", a.name.node, b.name.node))
            }
            Pass::Fields => (arguments(a) != arguments(b)).then(|| "have different arguments".to_owned()),
        }
    }

    /// Whether answers of both types look alike: lists and nulls in the same places, and the same at the leaves.
    fn same_shape(&self, a: &Type, b: &Type) -> bool {
        a.nullable == b.nullable
            && match (&a.base, &b.base) {
                (BaseType::List(a), BaseType::List(b)) => self.same_shape(a, b),
                (BaseType::Named(a), BaseType::Named(b)) => {
                    a == b || (self.schema.fields.contains_key(a) && self.schema.fields.contains_key(b))
                }
                _ => false,
            }
    }
}

fn arguments(field: &Field) -> HashMap<&Name, &Value> {
    field.arguments.iter().map(|(name, value)| (&name.node, &value.node)).collect()
}

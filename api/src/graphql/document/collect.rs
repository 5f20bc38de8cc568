//! The fields of an operation, collected as the specification says (CollectFields, 6.3.2), and what they cost.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned,
    indexmap::IndexMap,
    parser::types::{Field, FragmentDefinition, InlineFragment, Selection, SelectionSet, TypeCondition},
};
use async_graphql_value::Value;

use super::{
    Unprepared,
    exceeded::{Exceeded, Limit},
    types::{Gives, Types},
    values::Values,
};
use crate::{app::DocumentLimits, paging::DEFAULT_SIZE};

/// A field and all selections under its response key.
type Collected<'a> = IndexMap<Name, (&'a Positioned<Field>, Vec<&'a SelectionSet>)>;

/// Collects the fields of one operation.
pub struct Collector<'a> {
    types: &'a Types,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    values: &'a Values<'a>,
    limits: &'a DocumentLimits,
    /// How many selections may still be looked at: on an interface each is, for each of its object types.
    budget: usize,
}

/// Selections of one object or interface.
struct Level<'a> {
    sets: Vec<&'a SelectionSet>,
    depth: usize,
    /// Whether it is an object of which there is one for a whole page: its lists are that page.
    is_counted: bool,
}

impl<'a> Collector<'a> {
    /// For an operation of a document with these fragments.
    pub fn new(
        types: &'a Types,
        fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
        values: &'a Values<'a>,
        limits: &'a DocumentLimits,
    ) -> Self {
        Self { types, fragments, values, limits, budget: limits.fields }
    }

    /// The fields of an operation, each response key once, in the order of their first mention, and their cost.
    pub fn operation(&mut self, root: &Name, set: &'a SelectionSet) -> Result<(SelectionSet, u64), Unprepared> {
        self.level(root, &Level { sets: vec![set], depth: 1, is_counted: false })
    }

    fn level(&mut self, on: &Name, level: &Level<'a>) -> Result<(SelectionSet, u64), Unprepared> {
        let types = self.types;
        let possible = match types.possible(on) {
            // Fragments on an interface may select differently for each object type.
            Some(possible) if self.narrows(on, &level.sets, &mut HashSet::new())? => possible,
            _ => return self.level_on(on, level),
        };
        let (mut items, mut cost) = (Vec::new(), 0);
        for object in possible {
            let (selection, one) = self.level_on(object, level)?;
            cost = cost.max(one);
            if !selection.items.is_empty() {
                let condition = TypeCondition { on: unplaced(object.clone()) };
                let fragment = InlineFragment {
                    type_condition: Some(unplaced(condition)),
                    directives: Vec::new(),
                    selection_set: unplaced(selection),
                };
                items.push(unplaced(Selection::InlineFragment(unplaced(fragment))));
            }
        }
        Ok((SelectionSet { items }, cost))
    }

    fn level_on(&mut self, object: &Name, level: &Level<'a>) -> Result<(SelectionSet, u64), Unprepared> {
        let mut collected = Collected::new();
        let mut visited = HashSet::new();
        for set in &level.sets {
            self.gather(object, set, &mut collected, &mut visited)?;
        }
        if level.depth == 1 {
            Exceeded::check(Limit::RootFields, self.limits.root_fields, collected.len())?;
        }
        let mut items = Vec::with_capacity(collected.len());
        let mut cost = 0_u64;
        for (_, (field, children)) in collected {
            let (selection, one) = self.field(object, field, children, level)?;
            cost = cost.saturating_add(one);
            items.push(Positioned::new(Selection::Field(selection), field.pos));
        }
        Ok((SelectionSet { items }, cost))
    }

    /// A field with what is selected in it, and its cost: one, and what is inside as often as it may stand in the answer.
    fn field(
        &mut self,
        object: &Name,
        field: &Positioned<Field>,
        children: Vec<&'a SelectionSet>,
        level: &Level<'a>,
    ) -> Result<(Positioned<Field>, u64), Unprepared> {
        let gives = self.types.field(object, &field.node.name.node);
        let size = self.size(&field.node, gives);
        let items = gives.and_then(|gives| gives.items);
        let times = size.or(items.filter(|_| !level.is_counted)).unwrap_or(1);
        let sets: Vec<_> = children.into_iter().filter(|set| !set.items.is_empty()).collect();
        let (selection, inside) = if sets.is_empty() {
            (SelectionSet::default(), 0)
        } else {
            let unknown = Name::new("__Unknown");
            let ty = gives.map_or(&unknown, |gives| &gives.ty);
            self.level(ty, &Level { sets, depth: level.depth + 1, is_counted: size.is_some() && items.is_none() })?
        };
        let mut merged = field.clone();
        merged.node.selection_set.node = selection;
        merged.node.directives.retain(|directive| !is_condition(&directive.node.name.node));
        merged.node.arguments.retain(|(name, value)| !self.is_left_out(&name.node, &value.node));
        Ok((merged, times.saturating_mul(inside).saturating_add(1)))
    }

    /// How many items a field has by its arguments: one for each id, or as many as the page may have.
    fn size(&self, field: &Field, gives: Option<&Gives>) -> Option<u64> {
        let argument = |name: &str| field.get_argument(name).map(|value| &value.node);
        if let Some(ids) = argument("ids").and_then(|ids| self.values.length(ids)) {
            return Some(ids);
        }
        let size = || ["first", "last"].into_iter().find_map(|name| self.values.number(argument(name)?));
        gives.is_some_and(|gives| gives.is_page).then(|| size().unwrap_or(DEFAULT_SIZE))
    }

    fn gather(
        &mut self,
        object: &Name,
        set: &'a SelectionSet,
        collected: &mut Collected<'a>,
        visited: &mut HashSet<&'a Name>,
    ) -> Result<(), Unprepared> {
        for item in &set.items {
            self.spend()?;
            if self.is_skipped(&item.node)? {
                continue;
            }
            match &item.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.clone();
                    collected.entry(key).or_insert_with(|| (field, Vec::new())).1.push(&field.node.selection_set.node);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.fragments.get(name)
                        && visited.insert(name)
                        && self.types.applies(object, &fragment.node.type_condition.node.on.node)
                    {
                        self.gather(object, &fragment.node.selection_set.node, collected, visited)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    if condition.is_none_or(|condition| self.types.applies(object, condition)) {
                        self.gather(object, &fragment.node.selection_set.node, collected, visited)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether any fragment among the selections is on another type than the one they stand on.
    fn narrows(
        &mut self,
        on: &Name,
        sets: &[&'a SelectionSet],
        visited: &mut HashSet<&'a Name>,
    ) -> Result<bool, Unprepared> {
        for item in sets.iter().flat_map(|set| &set.items) {
            self.spend()?;
            let (condition, set) = match &item.node {
                Selection::Field(_) => continue,
                Selection::InlineFragment(fragment) => (
                    fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node),
                    &fragment.node.selection_set.node,
                ),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let Some(fragment) = self.fragments.get(name).filter(|_| visited.insert(name)) else { continue };
                    (Some(&fragment.node.type_condition.node.on.node), &fragment.node.selection_set.node)
                }
            };
            if condition.is_some_and(|condition| condition != on) || self.narrows(on, &[set], visited)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn spend(&mut self) -> Result<(), Unprepared> {
        let most = self.limits.fields;
        self.budget = self.budget.checked_sub(1).ok_or(Exceeded {
            limit: Limit::Fields,
            allowed: most as u64,
            found: most as u64 + 1,
        })?;
        Ok(())
    }

    /// Whether an argument counts as not given (`CoerceArgumentValues`, 6.4.1): its variable has no value. The library
    /// takes that for null, which its own introspection refuses, as it does a null that is given.
    fn is_left_out(&self, argument: &Name, value: &Value) -> bool {
        self.values.is_missing(value) || (argument == "includeDeprecated" && self.values.is_null(value))
    }

    fn is_skipped(&self, selection: &Selection) -> Result<bool, Unprepared> {
        for directive in selection.directives() {
            let Some(value) = directive.node.get_argument("if") else { continue };
            match directive.node.name.node.as_str() {
                "skip" | "include" if self.values.is_forbidden_null(&value.node) => {
                    return Err(Unprepared::NullCondition);
                }
                "skip" if self.values.is_true(&value.node) => return Ok(true),
                "include" if !self.values.is_true(&value.node) => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }
}

fn is_condition(directive: &Name) -> bool {
    directive == "skip" || directive == "include"
}

fn unplaced<T>(node: T) -> Positioned<T> {
    Positioned::new(node, async_graphql::Pos::default())
}

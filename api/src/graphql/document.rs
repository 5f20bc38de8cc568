//! Prepares a document for execution: one operation, without fragments, each response key once.
//!
//! The executor runs a field twice when two fragments select it, mutations too, and knows nothing of a variable's
//! default in `@skip` and `@include`. Here fields are collected as the specification says (CollectFields, 6.3.2), so
//! that neither matters. What grows beyond the limits on the way is refused before any other work is done on it.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned, ServerError, Variables,
    indexmap::IndexMap,
    parser::{
        parse_schema,
        types::{
            BaseType, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, InlineFragment,
            OperationDefinition, OperationType, Selection, SelectionSet, Type, TypeCondition, TypeKind,
            TypeSystemDefinition,
        },
    },
};
use async_graphql_value::{ConstValue, Value};

use crate::paging::{DEFAULT_SIZE, LARGEST_SIZE};

/// The most fields of a document, each counted as often as it is executed or written in a fragment that is used.
const MOST_FIELDS: usize = 10_000;

/// The most values of an answer: a page counts as often as it may have items.
const MOST_COST: u64 = 50_000;

/// How deep selections and fragments may stand in each other, before anything else is looked at.
const DEEPEST_SELECTION: usize = 200;

/// How the names of the types end that are pages of a list.
const CONNECTION: &str = "Connection";

/// Refuses what the rules of validation would take too long for: they follow each spread of a fragment anew.
fn weigh(document: &ExecutableDocument) -> Result<(), Unprepared> {
    let mut scale = Scale { fragments: &document.fragments, weights: HashMap::new() };
    for (_, operation) in document.operations.iter() {
        scale.set(&operation.node.selection_set.node, 0)?;
    }
    for name in document.fragments.keys() {
        scale.fragment(name, 0)?;
    }
    Ok(())
}

struct Scale<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// `None` while a fragment is on the scale.
    weights: HashMap<&'a Name, Option<Weight>>,
}

/// How many selections there are, with those of fragments as often as they are spread, and how many levels of them.
#[derive(Clone, Copy, Default)]
struct Weight {
    selections: usize,
    levels: usize,
}

impl<'a> Scale<'a> {
    fn set(&mut self, set: &'a SelectionSet, depth: usize) -> Result<Weight, Unprepared> {
        if depth > DEEPEST_SELECTION {
            return Err(Unprepared::TooDeep);
        }
        let mut weight = Weight::default();
        for item in &set.items {
            let inside = match &item.node {
                Selection::Field(field) => self.set(&field.node.selection_set.node, depth + 1)?,
                Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set.node, depth + 1)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, depth + 1)?,
            };
            weight.selections = weight.selections.saturating_add(inside.selections).saturating_add(1);
            weight.levels = weight.levels.max(inside.levels + 1);
        }
        if weight.selections > MOST_FIELDS { Err(Unprepared::TooComplex) } else { Ok(weight) }
    }

    fn fragment(&mut self, name: &'a Name, depth: usize) -> Result<Weight, Unprepared> {
        match self.weights.get(name) {
            // What was weighed elsewhere may stand deeper here.
            Some(Some(weight)) if depth + weight.levels > DEEPEST_SELECTION => return Err(Unprepared::TooDeep),
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => return Err(Unprepared::Circular),
            None => {}
        }
        let Some(fragment) = self.fragments.get(name) else { return Ok(Weight::default()) };
        self.weights.insert(name, None);
        let weight = self.set(&fragment.node.selection_set.node, depth)?;
        self.weights.insert(name, Some(weight));
        Ok(weight)
    }
}

/// What the schema says of object types and interfaces.
#[derive(Debug, Default)]
pub struct Types {
    /// The type of each field of each type.
    fields: HashMap<Name, HashMap<Name, Name>>,
    /// The object types of each interface, in the order of their names.
    possible: HashMap<Name, Vec<Name>>,
}

impl Types {
    /// Reads them from the schema's own document.
    pub fn new(sdl: &str) -> Self {
        let mut types = Self::default();
        let Ok(document) = parse_schema(sdl) else { return types };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => {
                    for interface in object.implements {
                        types.possible.entry(interface.node).or_default().push(name.clone());
                    }
                    object.fields
                }
                TypeKind::Interface(interface) => {
                    types.possible.entry(name.clone()).or_default();
                    interface.fields
                }
                _ => continue,
            };
            let of = fields.into_iter().map(|field| (field.node.name.node, named(&field.node.ty.node)));
            types.fields.insert(name, of.collect());
        }
        for possible in types.possible.values_mut() {
            possible.sort();
        }
        types
    }

    /// Whether an object type is what a fragment's condition asks for.
    fn matches(&self, object: &Name, condition: &Name) -> bool {
        object == condition || self.possible.get(condition).is_some_and(|possible| possible.contains(object))
    }
}

fn named(ty: &Type) -> Name {
    match &ty.base {
        BaseType::Named(name) => name.clone(),
        BaseType::List(inner) => named(inner),
    }
}

/// A document that is ready.
#[derive(Debug)]
pub struct Prepared {
    /// One operation, without fragments.
    pub document: ExecutableDocument,
    /// Whether it reads or changes.
    pub operation: OperationType,
    /// The names of its root fields.
    pub roots: Vec<Name>,
}

impl Prepared {
    /// What is wrong where a subscription has not exactly one root field (5.2.3.1 of the specification).
    pub fn not_one_stream(&self) -> Option<ServerError> {
        let wrong = self.operation == OperationType::Subscription && self.roots.len() != 1;
        wrong.then(|| ServerError::new("A subscription must select exactly one field at its root.", None))
    }
}

/// Why a document cannot be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unprepared {
    /// No operation has the given name, or several have one and none was given.
    #[error("The document has no such operation; name one of its operations in operationName.")]
    UnknownOperation,
    /// A fragment that never ends.
    #[error("A fragment contains itself, directly or through others.")]
    Circular,
    /// A variable whose value is null decides about a field; a default lets it stand there.
    #[error("A variable of @skip or @include is null; give true or false, or leave it out.")]
    NullCondition,
    /// Deeper than [`super::DEEPEST`].
    #[error("The document is too deep: at most {} levels of fields are allowed.", super::DEEPEST)]
    TooDeep,
    /// More than [`MOST_FIELDS`].
    #[error("The document is too complex: at most {MOST_FIELDS} fields are allowed.")]
    TooComplex,
    /// More than [`MOST_COST`].
    #[error(
        "The document is too complex: its answer could have {cost} values, at most {MOST_COST} are allowed; ask for smaller pages."
    )]
    TooCostly {
        /// How many it could have.
        cost: u64,
    },
}

/// Prepares the operation that a request names.
pub fn prepare(
    document: &ExecutableDocument,
    name: Option<&str>,
    variables: &Variables,
    types: &Types,
) -> Result<Prepared, Unprepared> {
    weigh(document)?;
    let (name, operation) = operation(document, name).ok_or(Unprepared::UnknownOperation)?;
    let root = match operation.node.ty {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    };
    // Not the library's `default_value()`, which is null where there is none.
    let defaults = operation.node.variable_definitions.iter().filter_map(|definition| {
        Some((definition.node.name.node.clone(), definition.node.default_value.as_ref()?.node.clone()))
    });
    let nullable = operation.node.variable_definitions.iter().map(|definition| &definition.node);
    let nullable = nullable.filter(|variable| variable.var_type.node.nullable && variable.default_value.is_some());
    let nullable = nullable.map(|variable| &variable.name.node);
    let mut collector = Collector {
        types,
        fragments: &document.fragments,
        variables,
        defaults: defaults.collect(),
        nullable: nullable.collect(),
        budget: MOST_FIELDS,
    };
    let (selection, cost) = collector.collect(&Name::new(root), &[&operation.node.selection_set.node], 1)?;
    if cost > MOST_COST {
        return Err(Unprepared::TooCostly { cost });
    }
    let roots = selection.items.iter().filter_map(|item| match &item.node {
        Selection::Field(field) => Some(field.node.name.node.clone()),
        _ => None,
    });
    let roots = roots.collect();
    let mut prepared = operation.clone();
    prepared.node.selection_set.node = selection;
    let ty = prepared.node.ty;
    let operations = match name {
        Some(name) => DocumentOperations::Multiple(HashMap::from([(name.clone(), prepared)])),
        None => DocumentOperations::Single(prepared),
    };
    let document = ExecutableDocument { operations, fragments: HashMap::new() };
    Ok(Prepared { document, operation: ty, roots })
}

fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<(Option<&'a Name>, &'a Positioned<OperationDefinition>)> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some((None, operation)),
        (DocumentOperations::Multiple(all), Some(name)) => {
            all.iter().find(|(known, _)| *known == name).map(|(name, operation)| (Some(name), operation))
        }
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => {
            all.iter().next().map(|(name, operation)| (Some(name), operation))
        }
        _ => None,
    }
}

/// A field and all selections under its response key.
type Collected<'a> = IndexMap<Name, (&'a Positioned<Field>, Vec<&'a SelectionSet>)>;

struct Collector<'a> {
    types: &'a Types,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'a Variables,
    defaults: HashMap<Name, ConstValue>,
    /// Variables that may be null and stand where nothing may, as they have a default.
    nullable: HashSet<&'a Name>,
    budget: usize,
}

impl<'a> Collector<'a> {
    /// The fields of selections on one type, each response key once, in the order of their first mention, and how many
    /// values they may have.
    fn collect(
        &mut self,
        on: &Name,
        sets: &[&'a SelectionSet],
        depth: usize,
    ) -> Result<(SelectionSet, u64), Unprepared> {
        if depth > super::DEEPEST && !sets.is_empty() {
            return Err(Unprepared::TooDeep);
        }
        let mut items = Vec::new();
        let mut cost = 0;
        match self.types.possible.get(on) {
            // Fragments on an interface may select differently for each object type.
            Some(possible) if self.narrows(on, sets, &mut HashSet::new())? => {
                for object in possible {
                    let (selection, one) = self.collect_on(object, sets, depth)?;
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
            }
            _ => return self.collect_on(on, sets, depth),
        }
        Ok((SelectionSet { items }, cost))
    }

    fn collect_on(
        &mut self,
        object: &Name,
        sets: &[&'a SelectionSet],
        depth: usize,
    ) -> Result<(SelectionSet, u64), Unprepared> {
        let mut collected = Collected::new();
        let mut visited = HashSet::new();
        for set in sets {
            self.gather(object, set, &mut collected, &mut visited)?;
        }
        let mut items = Vec::with_capacity(collected.len());
        let mut cost = 0_u64;
        for (_, (field, children)) in collected {
            let mut merged = field.clone();
            let ty = self.types.fields.get(object).and_then(|fields| fields.get(&field.node.name.node)).cloned();
            // Of introspection types nothing is known here; they are all objects.
            let ty = ty.unwrap_or_else(|| Name::new("__Unknown"));
            let children: Vec<_> = children.into_iter().filter(|set| !set.items.is_empty()).collect();
            let (selection, inside) = if children.is_empty() {
                (SelectionSet::default(), 0)
            } else {
                self.collect(&ty, &children, depth + 1)?
            };
            merged.node.selection_set.node = selection;
            cost = cost.saturating_add(self.items(&field.node, &ty).saturating_mul(inside)).saturating_add(1);
            merged.node.directives.retain(|directive| !is_condition(&directive.node.name.node));
            merged.node.arguments.retain(|(name, value)| !self.is_left_out(&name.node, &value.node));
            items.push(Positioned::new(Selection::Field(merged), field.pos));
        }
        Ok((SelectionSet { items }, cost))
    }

    /// How often what is selected in a field may stand in the answer: once for each item of a page, or for each id.
    fn items(&self, field: &Field, ty: &Name) -> u64 {
        let argument = |name: &str| self.value(&field.get_argument(name)?.node);
        if let Some(ConstValue::List(ids)) = argument("ids") {
            return ids.len() as u64;
        }
        if !ty.ends_with(CONNECTION) {
            return 1;
        }
        let size = ["first", "last"].into_iter().find_map(|name| match argument(name)? {
            ConstValue::Number(number) => number.as_u64(),
            _ => None,
        });
        // A larger page is refused at its place in the answer.
        size.unwrap_or(DEFAULT_SIZE).min(LARGEST_SIZE)
    }

    fn gather(
        &mut self,
        object: &Name,
        set: &'a SelectionSet,
        collected: &mut Collected<'a>,
        visited: &mut HashSet<&'a Name>,
    ) -> Result<(), Unprepared> {
        for item in &set.items {
            self.budget = self.budget.checked_sub(1).ok_or(Unprepared::TooComplex)?;
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
                        && self.applies(object, &fragment.node.type_condition.node.on.node)
                    {
                        self.gather(object, &fragment.node.selection_set.node, collected, visited)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    if condition.is_none_or(|condition| self.applies(object, condition)) {
                        self.gather(object, &fragment.node.selection_set.node, collected, visited)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn applies(&self, object: &Name, condition: &Name) -> bool {
        !self.types.fields.contains_key(object) || self.types.matches(object, condition)
    }

    /// Whether any fragment among the selections is on another type than the one they stand on.
    fn narrows(
        &mut self,
        on: &Name,
        sets: &[&'a SelectionSet],
        visited: &mut HashSet<&'a Name>,
    ) -> Result<bool, Unprepared> {
        for item in sets.iter().flat_map(|set| &set.items) {
            self.budget = self.budget.checked_sub(1).ok_or(Unprepared::TooComplex)?;
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

    fn is_skipped(&self, selection: &Selection) -> Result<bool, Unprepared> {
        for directive in selection.directives() {
            let Some(value) = directive.node.get_argument("if") else { continue };
            let condition = match (&value.node, self.value(&value.node)) {
                (Value::Variable(name), Some(ConstValue::Null)) if self.nullable.contains(name) => {
                    return Err(Unprepared::NullCondition);
                }
                (_, value) => value == Some(ConstValue::Boolean(true)),
            };
            match directive.node.name.node.as_str() {
                "skip" if condition => return Ok(true),
                "include" if !condition => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Whether an argument counts as not given (`CoerceArgumentValues`, 6.4.1): its variable has no value. The library
    /// takes that for null, which its own introspection refuses, as it does a null that is given.
    fn is_left_out(&self, argument: &Name, value: &Value) -> bool {
        let is_missing = |name| !self.variables.contains_key(name) && !self.defaults.contains_key(name);
        matches!(value, Value::Variable(name) if is_missing(name))
            || (argument == "includeDeprecated" && self.value(value) == Some(ConstValue::Null))
    }

    /// An argument's value, with the variables in it. Of a list with a missing variable nothing is known.
    fn value(&self, value: &Value) -> Option<ConstValue> {
        value
            .clone()
            .into_const_with(|name| self.variables.get(&name).or(self.defaults.get(&name)).cloned().ok_or(()))
            .ok()
    }
}

fn is_condition(directive: &Name) -> bool {
    directive == "skip" || directive == "include"
}

fn unplaced<T>(node: T) -> Positioned<T> {
    Positioned::new(node, async_graphql::Pos::default())
}

//! Where a value stands in a body, whatever the body's language.

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub struct ValuePath<'a> {
    /// Names of the elements or keys around it, the outermost first.
    pub names: &'a [String],
    /// The attribute whose value it is.
    pub attribute: Option<&'a str>,
    /// Whether it is a key of JSON, or markup of XML such as a name, rather than a value.
    pub is_key: bool,
}

impl ValuePath<'_> {
    /// What the value is called: the attribute, else the innermost name.
    pub fn name(&self) -> &str {
        let innermost = self.names.last().map_or("", String::as_str);
        self.attribute.unwrap_or(innermost)
    }

    /// What stands around that name.
    pub fn parent(&self) -> &str {
        let back = if self.attribute.is_some() { 1 } else { 2 };
        let parent = self.names.len().checked_sub(back);
        parent.map_or("", |at| self.names[at].as_str())
    }
}

/// Says what stands for a value from now on; `None` leaves it as it is.
pub type ValueChange<'c> = &'c mut dyn FnMut(ValuePath<'_>, &str) -> Option<String>;

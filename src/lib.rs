//! advisoryd

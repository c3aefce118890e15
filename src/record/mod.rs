//! The folder on disk that keeps an audit: written as it happens, never rewritten, versioned.

//! An audit to text: the rows are computed once, each format only draws them.

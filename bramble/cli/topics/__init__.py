"""The texts of `bramble help TOPIC`, one Markdown file each, which are also the reference of spec/guide."""

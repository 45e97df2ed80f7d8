"""What people ask a store: what is this, who needs it and why, and is all of it whole?"""

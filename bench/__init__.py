"""What placer is measured with; `python -m bench` lists it. Not part of the installed packages."""

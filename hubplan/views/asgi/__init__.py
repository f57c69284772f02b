"""The app as a web server with its own headers, in a folder of its own since Streamlit puts that on the import path."""

"""A shop of one page."""

from flask import Flask, render_template_string

app = Flask(__name__)


@app.route("/<name>")
def page(name):
    return render_template_string("<p>{{ name }} costs {{ price }}</p>", name=name, price=len(name))


def run():
    print(app.test_client().get("/an<apple>").get_data(as_text=True))

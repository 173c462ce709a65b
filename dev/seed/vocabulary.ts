/** What one shelf, a leaf of the category tree, sells. */
export interface Shelf {
  /** Department, aisle and shelf: the three levels of the tree. */
  path: string[];
  nouns: string[];
  materials: string[];
  /** Whole US dollars, lowest and highest. */
  price: [number, number];
  /** Option names to the sets of values that products of this shelf come in. */
  options: { name: string; sets: string[][] }[];
  /** One sentence that holds for all of them. */
  virtue: string;
}

/** Collection names; a title is one of these, a material and a noun. */
export const LINES =
  'Alder Bergen Calder Dune Ember Fjord Grove Harbor Isla Juniper Kestrel Linden Marlow Nordic Orchard Pine Quill Ridge Solstice Tarn Umber Vale Willow'.split(
    ' ',
  );

/** Each kind of option: its name, then the sets of values, of which a product has one. */
const OPTIONS: Record<string, string> = {
  apparel: 'Size: S/M/L; XS/S/M/L',
  bed: 'Size: Twin/Queen/King',
  brew: 'Capacity: 2 cups/4 cups; 0.5 l/1 l',
  bottle: 'Capacity: 0.5 l/0.75 l/1 l',
  color: 'Color: Charcoal/Oat; Navy/Moss; Ink/Clay/Sand; Rust/Slate',
  diameter: 'Diameter: 20 cm/24 cm/28 cm',
  finish: 'Finish: Natural/Smoked; White/Black; Brass/Steel',
  format: 'Format: A5/A6',
  glaze: 'Glaze: Chalk/Fog; Sage/Ash/Indigo; Moss/Clay',
  handle: 'Handle: Walnut/Ash; Olive/Oak',
  length: 'Length: Regular/Long',
  pack: 'Pack: Single/Pack of 3; Pack of 2/Pack of 6',
  paint: 'Paint: Plain/Painted',
  pot: 'Capacity: 3 l/5 l/7 l',
  ruling: 'Ruling: Lined/Dotted/Blank',
  screen: 'Size: 13 inch/14 inch/16 inch',
  shoe: 'Size: 39/40/41/42/43; 36/37/38/39',
  size: 'Size: Small/Medium/Large',
  volume: 'Volume: 18 l/26 l; 32 l/45 l',
};

/** Path | nouns | materials | dollars | options | virtue. */
const TABLE = `
Clothing > Tops > T-shirts | Crew Tee, Pocket Tee, Long-Sleeve Tee, Striped Tee | Organic Cotton, Slub Cotton, Hemp, Heavyweight Cotton | 22-48 | apparel color | Wears well alone or under a jacket.
Clothing > Tops > Shirts | Oxford Shirt, Camp-Collar Shirt, Overshirt | Linen, Flannel, Poplin, Chambray | 58-128 | apparel color | Cut straight, with room to move.
Clothing > Tops > Knitwear | Crew Sweater, Cardigan, Roll-Neck, Vest | Merino, Lambswool, Cotton Cable, Alpaca | 78-210 | apparel color | Knitted in one gauge throughout.
Clothing > Bottoms > Trousers | Chino, Pleated Trouser, Drawstring Trouser | Twill, Linen, Corduroy, Wool Blend | 68-160 | apparel color | Tapered from the knee.
Clothing > Bottoms > Shorts | Bermuda Short, Trail Short, Deck Short | Ripstop, Linen, Seersucker, Twill | 38-79 | apparel color | Made for warm days.
Clothing > Outerwear > Jackets | Chore Jacket, Rain Shell, Quilted Jacket, Field Coat | Waxed Cotton, Recycled Nylon, Canvas, Boiled Wool | 128-340 | apparel color | Two inside pockets, one of them zipped.
Clothing > Accessories > Hats | Beanie, Bucket Hat, Watch Cap | Merino, Canvas, Recycled Cotton | 18-52 | color | One size, folds flat.
Clothing > Accessories > Socks | Crew Sock, Ankle Sock, Boot Sock | Merino, Combed Cotton, Bamboo | 9-24 | apparel pack | Seamless at the toe.
Shoes > Everyday > Sneakers | Court Sneaker, Runner, High-Top | Canvas, Suede, Full-Grain Leather, Recycled Knit | 68-165 | shoe color | Stitched to a rubber sole.
Shoes > Everyday > Loafers | Penny Loafer, Moccasin, Slip-On | Calf Leather, Suede, Nubuck | 98-220 | shoe color | Softens with wear.
Shoes > Outdoor > Boots | Hiking Boot, Chelsea Boot, Work Boot | Waxed Leather, Nubuck, Rubberized Canvas | 120-295 | shoe color | Can be resoled.
Shoes > Outdoor > Sandals | Trail Sandal, Two-Strap Sandal, River Sandal | Cork, Webbing, Vegetable-Tanned Leather | 45-118 | shoe color | For wet and dry ground.
Home > Bedroom > Bedding | Duvet Cover, Sheet Set, Pillowcase Pair | Washed Linen, Percale, Sateen | 58-260 | bed color | Washed before it is sewn, so it does not shrink.
Home > Bedroom > Blankets | Throw, Waffle Blanket, Quilt | Lambswool, Cotton, Recycled Wool | 62-190 | color | For the foot of the bed, or the sofa.
Home > Living Room > Cushions | Cushion, Floor Cushion, Bolster | Bouclé, Linen, Velvet, Kilim | 34-95 | color | Comes filled, with a hidden zip.
Home > Living Room > Lamps | Table Lamp, Floor Lamp, Reading Lamp | Oak, Ceramic, Spun Metal, Paper | 79-320 | finish | Dimmable, on a fabric cord.
Home > Living Room > Vases | Bud Vase, Bottle Vase, Bowl Vase | Stoneware, Recycled Glass, Terracotta | 24-110 | finish | Shaped by hand, so no two are equal.
Home > Bath > Towels | Bath Towel, Hand Towel, Bath Sheet | Turkish Cotton, Waffle Cotton, Linen | 19-72 | color pack | Dries fast.
Home > Bath > Bath Accessories | Soap Dish, Tumbler, Tray | Marble, Beech, Stoneware | 14-58 | finish | Sealed against water.
Home > Storage > Baskets | Laundry Basket, Storage Basket, Wall Basket | Seagrass, Willow, Felt | 28-98 | size | Woven around a firm base.
Kitchen > Cookware > Pans | Skillet, Sauté Pan, Saucepan | Cast Iron, Carbon Steel, Stainless | 48-210 | diameter | For every hob, induction included.
Kitchen > Cookware > Pots | Dutch Oven, Stockpot, Casserole | Enameled Iron, Stainless, Copper-Core | 88-380 | pot | The lid returns the steam.
Kitchen > Tableware > Plates | Dinner Plate, Side Plate, Pasta Bowl | Stoneware, Porcelain, Enamel | 16-64 | glaze pack | Safe in oven and dishwasher.
Kitchen > Tableware > Glasses | Tumbler, Wine Glass, Carafe | Recycled Glass, Borosilicate, Ribbed Glass | 12-68 | pack | Thin, and tempered at the rim.
Kitchen > Tools > Knives | Chef's Knife, Paring Knife, Bread Knife | High-Carbon, Damascus, Stainless | 38-240 | handle | Ground and finished by hand.
Kitchen > Tools > Utensils | Spatula, Ladle, Serving Spoon, Whisk | Beech, Olivewood, Brushed Steel | 9-36 | length | Gentle to pans.
Kitchen > Coffee & Tea > Brewers | Pour-Over, French Press, Teapot | Borosilicate, Stoneware, Double-Wall Steel | 32-140 | brew | The spout does not drip.
Kitchen > Coffee & Tea > Mugs | Mug, Espresso Cup, Travel Cup | Stoneware, Enamel, Porcelain | 11-42 | glaze pack | Fits the hand.
Outdoor > Camping > Tents | Two-Person Tent, Tarp, Bivvy | Ripstop, Cotton Canvas, Silnylon | 120-620 | color | Up in five minutes.
Outdoor > Camping > Sleeping Bags | Sleeping Bag, Bag Liner, Camp Quilt | Down, Recycled Fill, Merino | 48-380 | length color | States its comfort limit on the label.
Outdoor > Packs > Backpacks | Day Pack, Roll-Top, Trail Pack | Waxed Canvas, Recycled Nylon, Ballistic | 68-260 | volume color | A padded sleeve at the back.
Outdoor > Packs > Travel Bags | Weekender, Duffel, Wash Bag | Canvas, Leather-Trim, Recycled Nylon | 36-290 | color | Sized for the overhead locker.
Outdoor > Hydration > Bottles | Flask, Bottle, Growler | Double-Wall Steel, Tritan, Titanium | 18-88 | bottle color | Closes tight upside down.
Outdoor > Garden > Garden Tools | Hand Trowel, Pruner, Hoe | Forged Steel, Stainless, Copper | 16-92 | handle | The edge can be sharpened.
Office > Desk > Notebooks | Notebook, Sketchbook, Planner | Cloth-Bound, Recycled, Leather-Bound | 9-46 | ruling format | Lies flat when open.
Office > Desk > Pens | Fountain Pen, Rollerball, Mechanical Pencil | Brass, Aluminum, Resin | 14-160 | finish | Balanced at the middle.
Office > Desk > Organizers | Desk Tray, Pen Cup, Letter Holder | Walnut, Powder-Coated Steel, Felt | 18-84 | finish | Stacks with its own kind.
Office > Tech > Sleeves & Cases | Laptop Sleeve, Tablet Case, Cable Pouch | Wool Felt, Waxed Canvas, Leather | 22-98 | screen color | Lined, with a magnetic clasp.
Office > Tech > Stands & Chargers | Laptop Stand, Phone Stand, Charging Tray | Oak, Aluminum, Cork | 24-120 | finish | Stands on silicone feet.
Kids > Play > Wooden Toys | Stacking Tower, Pull Train, Block Set | Beech, Maple, Limewood | 16-78 | paint | Finished with oil that is safe to chew.
`;

/** In the order in which products are laid out on them. */
export const SHELVES: Shelf[] = TABLE.trim().split('\n').map(readShelf);

function readShelf(line: string): Shelf {
  const [path = '', nouns = '', materials = '', price = '', options = '', virtue = ''] = line.split(' | ');
  const [low = '', high = ''] = price.split('-');
  return {
    path: path.split(' > '),
    nouns: nouns.split(', '),
    materials: materials.split(', '),
    price: [Number(low), Number(high)],
    options: options.split(' ').map((key) => readOption(OPTIONS[key] ?? '')),
    virtue,
  };
}

function readOption(text: string): { name: string; sets: string[][] } {
  const [name = '', sets = ''] = text.split(': ');
  return { name, sets: sets.split('; ').map((set) => set.split('/')) };
}

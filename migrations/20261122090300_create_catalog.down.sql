drop table prices;
drop table skus;
drop table product_categories;
drop table products;
drop table categories;
